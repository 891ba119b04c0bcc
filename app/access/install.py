"""Put an access policy in force: only what it asks for is added, the rest costs nothing."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from app.access.api_keys import read_keys
from app.access.authenticator import Authenticator
from app.access.hosts import AllowedHosts, HostNames
from app.access.policy import AccessPolicy
from app.access.require_key import RequireKey
from app.http.model_header import MODEL_HEADER
from app.http.request_id import REQUEST_ID_HEADER
from app.server.reload import ReloadKeys

SENT_BY_PAGES = (
    *("Authorization", "X-API-Key", REQUEST_ID_HEADER, "traceparent"),
    *("Accept", "Content-Type", "If-None-Match", "Inference-Header-Content-Length"),
)


def install(app: FastAPI, policy: AccessPolicy) -> None:
    """Let in whom the policy lets in, also by `state.gate`; raises KeysFileError.

    A later middleware stands around the earlier ones: a browser asks whether a page may send a key
    before it sends one, and reads the refusal of a wrong one.
    """
    if policy.api_keys_file is not None:
        file = policy.api_keys_file.absolute()
        app.state.api_keys = read_keys(file)
        app.state.reload_keys = ReloadKeys(app.state, file)
        app.add_middleware(RequireKey, state=app.state, open_metrics=policy.open_metrics)
    if policy.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=policy.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=SENT_BY_PAGES,
            expose_headers=(MODEL_HEADER, REQUEST_ID_HEADER),
        )
    names = HostNames(policy.allowed_hosts) if policy.allowed_hosts else None
    if names is not None:
        app.add_middleware(AllowedHosts, names=names)
    app.state.gate = Authenticator(
        app.state,
        asks_for_keys=policy.api_keys_file is not None,
        names=names,
        cors_enabled=bool(policy.cors_origins),
    )
