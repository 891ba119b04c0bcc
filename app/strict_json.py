"""Request bodies as strict JSON: what FastAPI's own reading lets pass is refused here.

Python's JSON parser takes UTF-16 and a repeated key (the last wins), and fails on deep nesting with
an exception that is not its own. The media type is checked before the body is looked at.
"""

import codecs
import email.message
import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers

MEDIA_TYPE = "application/json"
MOST_BYTES = 64 * 1024  # a row has about 150


class Repeated:
    """Stands for the values of a key that came more than once; no schema takes it."""


class StrictJSONRequest(Request):
    """A request whose body must be JSON in UTF-8, a key at most once in each object."""

    async def stream(self) -> AsyncGenerator[bytes, None]:
        size = 0
        async for chunk in super().stream():
            size += len(chunk)
            _require_size(size)
            yield chunk

    async def json(self) -> Any:
        return parse_strict_json(await self.body())


class StrictJSONRoute(APIRoute):
    """A route with a body of strict JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            _require_plain_json(request.headers)
            return await handle(StrictJSONRequest(request.scope, request.receive))

        return handle_strictly


def _require_plain_json(headers: Headers) -> None:
    """Raise a 415 or 413 unless the headers announce JSON as it is, and not too much of it."""
    content_type = email.message.Message()
    content_type["content-type"] = headers.get("content-type", "")
    if content_type.get_content_type() != MEDIA_TYPE:
        came = "another one came" if "content-type" in headers else "none came"
        raise HTTPException(
            415,
            f"The Content-Type must be {MEDIA_TYPE}, however {came} "
            f"(with curl, add: -H 'content-type: {MEDIA_TYPE}').",
        )
    if content_type.get_content_charset("utf-8") not in ("utf-8", "utf8"):
        raise HTTPException(415, "The charset must be UTF-8, however another one came.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(
            415, "The body must not be compressed, however the Content-Encoding says that it is."
        )
    length = headers.get("content-length", "")
    if length.isdecimal():  # what is not is the server's to refuse; the body is counted anyway
        _require_size(float(length))


def _require_size(size: float) -> None:
    if size > MOST_BYTES:
        raise HTTPException(
            413,
            f"The body must have at most {MOST_BYTES:,} bytes, however it has more.",
            headers={"Connection": "close"},  # instead of reading the rest of it
        )


def parse_strict_json(body: bytes) -> Any:
    """The value of a JSON text in UTF-8, numbers as floats, repeated keys as `Repeated`.

    Raises json.JSONDecodeError, which FastAPI answers with 422.
    """
    if body.startswith(codecs.BOM_UTF8):
        raise json.JSONDecodeError("a byte order mark", "", 0)
    try:
        return json.loads(
            body.decode("utf-8"), parse_int=float, object_pairs_hook=_mark_repeated_keys
        )
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError("not UTF-8", "", error.start) from error
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deeply", "", 0) from error


def _mark_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                value[key] = Repeated()
            seen.add(key)
    return value
