"""HEAD wherever there is GET: load balancers and `curl -I` use it."""

from starlette.types import ASGIApp, Receive, Scope, Send


class HeadAsGet:
    """Lets the app answer a HEAD request as a GET; uvicorn leaves out the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self.app(scope, receive, send)
