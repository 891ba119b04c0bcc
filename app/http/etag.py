"""ETag and 304: what changes with a reload only is sent once to whoever keeps it."""

import hashlib
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

POLICY = "Content-Security-Policy"
ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')


class RevalidatedRoute(APIRoute):
    """A route whose answer is asked for again with its ETag."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_revalidated(request: Request) -> Response:
            return revalidated(request, await handle(request))

        return handle_revalidated


def revalidated(request: Request, response: Response) -> Response:
    """The response with the ETag of its body, or a 304 where the request knows that already."""
    tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}  # keep it, but ask before it is used
    if POLICY in response.headers:  # a browser replaces what it keeps with what a 304 says
        headers[POLICY] = response.headers[POLICY]
    if _is_known(tag, ",".join(request.headers.getlist("if-none-match"))):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response


def _is_known(tag: str, if_none_match: str) -> bool:
    """Whether the tag is among those of an If-None-Match (RFC 9110: `*`, or a list, W/ or not)."""
    return if_none_match.strip() == "*" or tag in ENTITY_TAG.findall(if_none_match)
