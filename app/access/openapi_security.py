"""What /openapi.json says of API keys, where they are asked for: Swagger UI then sends them."""

from typing import Any

from app.access.public_paths import needs_key
from app.access.require_key import REFUSAL
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
        "description": "The same, in a header of its own.",
    },
}
EITHER: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]


def document_keys(document: dict[str, Any], *, open_metrics: bool) -> None:
    """Tell of each operation that needs a key that it does, and how a missing one is answered."""
    document["components"].setdefault("securitySchemes", {}).update(SCHEMES)
    for path, operations in document["paths"].items():
        if not needs_key(path, open_metrics=open_metrics):
            continue
        refuse = v2_error_docs if is_v2(path) else error_docs
        (refused,) = refuse(401, "The API key is missing or wrong.", REFUSAL).values()
        for operation in operations.values():
            operation["security"] = EITHER
            operation["responses"]["401"] = refused
