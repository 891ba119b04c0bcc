"""The floor: a bare ASGI callable that reads the body and sends a constant response."""

from starlette.types import Receive, Scope, Send

BODY = b'{"prediction":4.13}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond to any request."""
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
