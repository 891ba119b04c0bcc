"""OpenAPI documentation of error responses, each with an example that the service really sends."""

from typing import Any

from app.http import problems
from app.http.media_types import JSON, PROBLEM
from app.http.problems import RefusedField, to_problem

ErrorDocs = dict[int | str, dict[str, Any]]
"""FastAPI's `responses` of a route, by status."""


def error_docs(
    status: int, description: str, detail: str, *, errors: list[RefusedField] | None = None
) -> ErrorDocs:
    """Document a status that comes with a Problem; its example has the detail and the errors."""
    example = to_problem(status, detail, errors).model_dump(exclude_none=True)
    return _response(status, description, PROBLEM, example)


def v2_error_docs(status: int, description: str, detail: str) -> ErrorDocs:
    """Document a status that comes with an InferenceError; its example has the detail."""
    return _response(status, description, JSON, {"error": detail})


def _response(status: int, description: str, media_type: str, example: Any) -> ErrorDocs:
    name = "InferenceError" if media_type == JSON else "Problem"
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {
        status: {
            "description": description,
            "content": {media_type: {"schema": schema, "example": example}},
        }
    }


INTERNAL_ERROR = 500, "The service failed.", problems.INTERNAL_ERROR
SHUTTING_DOWN = 503, "The service is shutting down.", problems.SHUTTING_DOWN
OVERLOADED = 503, "The service is overloaded; retry the same request.", problems.OVERLOADED
"""Arguments of error_docs and v2_error_docs."""
