"""Error responses: problem+json (RFC 9457), and under /v2 that protocol's shape.

No error response echoes the input.
"""

from collections.abc import Mapping, Sequence

from fastapi import Response
from pydantic import BaseModel, Field

from app.http.media_types import JSON, PROBLEM
from app.http.reason_phrases import reason_phrase

RETRY_LATER = {"Retry-After": "1"}  # seconds
OVERLOADED = "The service is overloaded. Retry after 1 second."
SHUTTING_DOWN = "The service is shutting down. Retry after 1 second."
INTERNAL_ERROR = "The service failed; the request is not at fault."


class RefusedField(BaseModel):
    """One error in a request."""

    loc: list[str | int] = Field(description="Where it is: `body` or `query`, then the feature.")
    msg: str = Field(description="What was required and what was received, in one sentence.")
    type: str = Field(description="The kind of error, for programs.")


class Problem(BaseModel):
    """A rejected request (RFC 9457)."""

    type: str = Field("about:blank", description="Always about:blank: the status tells the type.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was required and what was received, in one sentence.")
    errors: list[RefusedField] | None = Field(None, description="For a rejected row: each error.")


class InferenceError(BaseModel):
    """A rejected request of the Open Inference Protocol."""

    error: str = Field(description="What was required and what was received, in one sentence.")


def is_v2(path: str) -> bool:
    """Return whether a path belongs to the Open Inference Protocol."""
    return path == "/v2" or path.startswith("/v2/")


def error_response(
    path: str,
    status: int,
    detail: str,
    errors: Sequence[RefusedField] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error response, in V2's shape for a V2 path and as a Problem for any other."""
    if is_v2(path):
        # Exactly application/json: V2 clients show no error message of another type.
        return Response(
            InferenceError(error=detail).model_dump_json(), status, headers, media_type=JSON
        )
    problem = Problem(
        title=reason_phrase(status),
        status=status,
        detail=detail,
        errors=errors and list(errors),
    )
    return Response(problem.model_dump_json(exclude_none=True), status, headers, media_type=PROBLEM)


def overloaded_response(path: str) -> Response:
    """Return the 503 for a request that the service has no capacity for."""
    return error_response(path, 503, OVERLOADED, headers=RETRY_LATER)
