"""Put an access policy in force: only the middlewares that it needs are added."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from app.access.control import AccessControl
from app.access.hosts import AllowedHosts
from app.access.require_key import RequireKey
from app.http.headers import MODEL_HEADER, REQUEST_ID_HEADER

SENT_BY_PAGES = (
    *("Authorization", "X-API-Key", REQUEST_ID_HEADER, "traceparent"),
    *("Accept", "Content-Type", "If-None-Match", "Inference-Header-Content-Length"),
)


def install(app: FastAPI, access: AccessControl) -> None:
    """Add the middlewares of an access policy.

    A later middleware wraps the earlier ones: a browser's preflight is answered before a key is
    required, and a page can read the response to a wrong key.
    """
    if access.api_keys is not None:
        app.add_middleware(RequireKey, access=access)
    if access.policy.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=access.policy.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=SENT_BY_PAGES,
            expose_headers=(MODEL_HEADER, REQUEST_ID_HEADER),
        )
    if access.hosts is not None:
        app.add_middleware(AllowedHosts, names=access.hosts)
