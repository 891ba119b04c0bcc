"""A FastAPI route whose body is strict JSON."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.http.bodies import at_most, require_announced_size, require_media_type
from app.http.media_types import JSON
from app.http.strict_json import parse_strict_json

MAX_BYTES = 64 * 1024  # a row has about 150
TOO_LARGE = f"The body must have at most {MAX_BYTES:,} bytes, however it has more."


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
