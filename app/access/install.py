"""Put an access policy in force: add only the middlewares that it needs."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.control import EXPOSED_HEADERS, AccessControl
from app.access.hosts import AllowedHosts
from app.http.headers import REQUEST_ID_HEADER
from app.http.problems import error_response

ALLOWED_HEADERS = (
    *("Authorization", "X-API-Key", REQUEST_ID_HEADER, "traceparent"),
    *("Accept", "Content-Type", "If-None-Match", "Inference-Header-Content-Length"),
)
"""Request headers that scripts of another origin may send."""

KEY_REQUIRED = (
    "The request must have an API key, as Authorization: Bearer KEY or X-API-Key: KEY, "
    "got no known key."
)
CHALLENGE = {"WWW-Authenticate": "Bearer"}


def install(app: FastAPI, access: AccessControl) -> None:
    """Add the middlewares of an access policy.

    Each wraps those added before it: a preflight request is answered before a key is required,
    and a script can read the response to a wrong key.
    """
    if access.api_keys is not None:
        app.add_middleware(RequireKey, access=access)
    if access.cors_enabled:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=access.policy.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=ALLOWED_HEADERS,
            expose_headers=EXPOSED_HEADERS,
        )
    if access.hosts is not None:
        app.add_middleware(AllowedHosts, names=access.hosts)


class RequireKey:
    """ASGI middleware that answers 401 without a known API key; puts its name in the scope."""

    def __init__(self, app: ASGIApp, access: AccessControl) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward or reject a request."""
        if scope["type"] == "http":
            name = self.access.key_name(scope["headers"])
            if name is None and self.access.policy.requires_key(scope["path"]):
                response = error_response(scope["path"], 401, KEY_REQUIRED, headers=CHALLENGE)
                await response(scope, receive, send)
                return
            scope["state"]["key_name"] = name
        await self.app(scope, receive, send)
