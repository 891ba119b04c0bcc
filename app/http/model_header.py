"""X-Model: which model answered, for those who do not read the body."""

from typing import Any

from app.inference.registry import NamedModel

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


def model_header(model: NamedModel) -> dict[str, str]:
    """The header of an answer that this model gave."""
    return {MODEL_HEADER: model.identity}
