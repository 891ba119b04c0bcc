"""Document the API key in /openapi.json, so that Swagger UI and generated clients can send it."""

from typing import Any

from app.access.install import KEY_REQUIRED
from app.access.policy import AccessPolicy
from app.http.openapi_errors import error_docs, v2_error_docs
from app.http.problems import is_v2

SCHEMES = {
    "APIKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, as Authorization: Bearer KEY.",
    },
    "APIKeyHeader": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key in the X-API-Key header.",
    },
}
EITHER_SCHEME: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]


def document_keys(document: dict[str, Any], policy: AccessPolicy) -> None:
    """Add the security schemes and the 401 response to each operation that requires a key."""
    document["components"].setdefault("securitySchemes", {}).update(SCHEMES)
    for path, operations in document["paths"].items():
        if not policy.requires_key(path):
            continue
        docs = v2_error_docs if is_v2(path) else error_docs
        (unauthorized,) = docs(401, "The API key is missing or wrong.", KEY_REQUIRED).values()
        for operation in operations.values():
            operation["security"] = EITHER_SCHEME
            operation["responses"]["401"] = unauthorized
