"""Error responses: Problem (RFC 9457), or InferenceError under /v2.

No error response echoes the input.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import Response
from pydantic import BaseModel, Field

from app.http.media_types import JSON, PROBLEM

REASON_PHRASES = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""The phrases of RFC 9110 that Python uses since 3.13; older versions have other ones."""

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


def to_problem(status: int, detail: str, errors: Sequence[RefusedField] | None = None) -> Problem:
    """Return a Problem with the title of its status; raises ValueError for an unknown status."""
    title = REASON_PHRASES.get(status) or HTTPStatus(status).phrase
    return Problem(title=title, status=status, detail=detail, errors=errors and list(errors))


def error_response(
    path: str,
    status: int,
    detail: str,
    errors: Sequence[RefusedField] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error response, an InferenceError for a V2 path and a Problem for any other."""
    if is_v2(path):
        # Exactly application/json: V2 clients show no error message of another type.
        return Response(
            InferenceError(error=detail).model_dump_json(), status, headers, media_type=JSON
        )
    content = to_problem(status, detail, errors).model_dump_json(exclude_none=True)
    return Response(content, status, headers, media_type=PROBLEM)


def overloaded_response(path: str) -> Response:
    """Return the 503 for a request that the service has no capacity for."""
    return error_response(path, 503, OVERLOADED, headers=RETRY_LATER)
