"""How errors are documented: each with an example that is a true answer."""

from typing import Any

from app.http.media_types import JSON, PROBLEM
from app.http.problems import OVERLOADED, Problem, RefusedField
from app.http.reason_phrases import reason_phrase

ErrorDocs = dict[int | str, dict[str, Any]]
"""What FastAPI takes as the `responses` of a route, by status."""


def error_docs(
    status: int, description: str, example: str, *, errors: list[RefusedField] | None = None
) -> ErrorDocs:
    """A status that is answered with a Problem; the example is its detail."""
    problem = Problem(title=reason_phrase(status), status=status, detail=example, errors=errors)
    return _response(status, description, PROBLEM, problem.model_dump(exclude_none=True))


def v2_error_docs(status: int, description: str, example: str) -> ErrorDocs:
    """A status that is answered with an InferenceError; the example is its sentence."""
    return _response(status, description, JSON, {"error": example})


def _response(status: int, description: str, media_type: str, example: Any) -> ErrorDocs:
    name = "InferenceError" if media_type == JSON else "Problem"
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {
        status: {
            "description": description,
            "content": {media_type: {"schema": schema, "example": example}},
        }
    }


FAILED = error_docs(
    500, "The service failed.", "The service failed, and it is not the request's fault."
)
UNKNOWN_MODEL = error_docs(
    404, "No such model.", "The model must be champion or notebook, got another name."
)
SHUTTING_DOWN_SENTENCE = "The service must not be sent new requests, because it is shutting down."
SHUTTING_DOWN = error_docs(503, "The service is shutting down.", SHUTTING_DOWN_SENTENCE)
_OVERLOADED = "The service sheds load; the same request can be sent again."
OVERLOADED_DOCS = error_docs(503, _OVERLOADED, OVERLOADED)
V2_OVERLOADED_DOCS = v2_error_docs(503, _OVERLOADED, OVERLOADED)
