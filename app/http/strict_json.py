"""Request bodies as strict JSON: what FastAPI's own reading lets pass is refused here.

Python's JSON parser takes UTF-16 and a repeated key (the last wins), and fails on deep nesting with
an exception that is not its own. The media type is checked before the body is looked at.
"""

import codecs
import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.http.bodies import at_most, require_announced_size, require_media_type
from app.http.media_types import JSON

MAX_BYTES = 64 * 1024  # a row has about 150
TOO_LARGE = f"The body must have at most {MAX_BYTES:,} bytes, however it has more."


class Repeated:
    """Stands for the values of a key that came more than once; no schema takes it."""


@dataclass(frozen=True, slots=True)
class NotJSON:
    """Stands for a line of a batch that is not JSON; no schema takes it."""

    reason: str


class StrictJSONRequest(Request):
    """A request whose body must be JSON in UTF-8, a key at most once in each object."""

    async def stream(self) -> AsyncGenerator[bytes, None]:
        async for piece in at_most(super().stream(), MAX_BYTES, TOO_LARGE):
            yield piece

    async def json(self) -> Any:
        return parse_strict_json(await self.body())


class StrictJSONRoute(APIRoute):
    """A route with a body of strict JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            require_media_type(request.headers, JSON)
            require_announced_size(request.headers, MAX_BYTES, TOO_LARGE)
            return await handle(StrictJSONRequest(request.scope, request.receive))

        return handle_strictly


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
