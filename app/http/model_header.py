"""X-Model: which model answered, for those who do not read the body."""

from typing import Any

MODEL_HEADER = "X-Model"

MODEL_HEADER_TOLD: dict[str, Any] = {
    "headers": {
        MODEL_HEADER: {
            "description": "The name and version of the model that answered.",
            "schema": {"type": "string"},
        }
    }
}
"""What OpenAPI says of an answer with the header."""


def model_header(identity: str) -> dict[str, str]:
    """Return the header of a response by the model of that identity, as `notebook@1f2e3d4c`."""
    return {MODEL_HEADER: identity}
