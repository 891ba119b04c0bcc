"""401 for whoever has no API key."""

from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.api_keys import APIKeys
from app.access.public_paths import needs_key
from app.api.errors import error_response
from app.http.headers import Headers

REFUSAL = (
    "The request must have an API key as Authorization: Bearer KEY or X-API-Key: KEY, "
    "however none that is known came."
)
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class RequireKey:
    """Lets a request pass that has a key of `state.api_keys`, and notes the key's name."""

    def __init__(self, app: ASGIApp, state: State, *, open_metrics: bool) -> None:
        self.app = app
        self.state = state
        self.open_metrics = open_metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http":
            name = name_of_key(self.state.api_keys, scope["headers"])
            if name is None and needs_key(scope["path"], open_metrics=self.open_metrics):
                refusal = error_response(scope["path"], 401, REFUSAL, headers=CHALLENGE)
                await refusal(scope, receive, send)
                return
            scope["state"]["key_name"] = name
        await self.app(scope, receive, send)


def name_of_key(keys: APIKeys, headers: Headers) -> str | None:
    """Whose key a request has, if it has one that is known."""
    for header, value in headers:
        if header == b"x-api-key":
            key = value
        elif header == b"authorization" and value[:7].lower() == b"bearer ":
            key = value[7:].strip()
        else:
            continue
        if name := keys.name_of(key):
            return name
    return None
