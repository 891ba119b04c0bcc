"""One JSON shape for every refused request: problem+json (RFC 9457), never echoing the input."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.loaded_models import UnknownModelError
from app.refusals import explain
from app.schemas import Problem, RefusedField

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 16  # all eight features misspelt; keeps the answer under 4 KiB


def add_error_handlers(app: FastAPI) -> None:
    """Answer every refused or failed request of an app with a problem."""
    app.add_exception_handler(RequestValidationError, _refused_input)
    app.add_exception_handler(UnknownModelError, _unknown_model)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


def problem(
    status: int,
    detail: str,
    errors: Sequence[RefusedField] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response that says what was required and what came."""
    content = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        errors=errors and list(errors),
    )
    return Response(
        content.model_dump_json(exclude_none=True), status, headers, media_type=MEDIA_TYPE
    )


async def _refused_input(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [*{(entry["loc"], entry["type"]): entry for entry in error.errors()}.values()]
    errors = [explain(entry) for entry in found[:MOST_ERRORS]]
    more = f" And {len(found) - 1} more." if len(found) > 1 else ""
    return problem(422, errors[0].msg + more, errors)


async def _unknown_model(request: Request, error: Exception) -> Response:
    return problem(404, str(error))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, _detail(request, error), headers=error.headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    # uvicorn logs the error
    return problem(500, "The service failed, and it is not the request's fault.")


def _detail(request: Request, error: HTTPException) -> str:
    """What this project raised says it itself; what the router raised is only a phrase."""
    if error.detail != HTTPStatus(error.status_code).phrase:
        return error.detail
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "another one")
        return f"The method must be {allowed}, however another one came."
    return "The address must be one of those in /openapi.json, however it is not."
