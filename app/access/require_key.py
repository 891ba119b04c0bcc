"""401 for whoever has no API key."""

from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.control import AccessControl
from app.access.public_paths import needs_key
from app.http.problems import error_response

REFUSAL = (
    "The request must have an API key as Authorization: Bearer KEY or X-API-Key: KEY, "
    "however none that is known came."
)
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class RequireKey:
    """Passes on requests with a known API key, and notes the key's name in the scope."""

    def __init__(self, app: ASGIApp, access: AccessControl) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http":
            name = self.access.key_name(scope["headers"])
            open_metrics = self.access.policy.open_metrics
            if name is None and needs_key(scope["path"], open_metrics=open_metrics):
                refusal = error_response(scope["path"], 401, REFUSAL, headers=CHALLENGE)
                await refusal(scope, receive, send)
                return
            scope["state"]["key_name"] = name
        await self.app(scope, receive, send)
