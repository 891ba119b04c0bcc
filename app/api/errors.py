"""Handlers that turn every exception into an error response.

`app.inference` and `app.state` raise their own errors, which get their HTTP status here.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.http.headers import complete_headers
from app.http.problems import (
    INTERNAL_ERROR,
    RETRY_LATER,
    SHUTTING_DOWN,
    RefusedField,
    error_response,
    overloaded_response,
)
from app.inference.overload import OverloadedError
from app.inference.registry import UnknownModelError
from app.inference.row_errors import MAX_ERRORS, FieldError
from app.inference.row_json import InvalidRowError
from app.observability.metrics import count_rejected
from app.observability.middleware import CLIENT_CLOSED_REQUEST
from app.state import ShuttingDownError


def add_error_handlers(app: FastAPI) -> None:
    """Add a handler for every exception that a route or a dependency raises."""
    app.add_exception_handler(InvalidRowError, _invalid_row)
    app.add_exception_handler(RequestValidationError, _invalid_query)
    app.add_exception_handler(UnknownModelError, _unknown_model)
    app.add_exception_handler(OverloadedError, _overloaded)
    app.add_exception_handler(ShuttingDownError, _shutting_down)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(ClientDisconnect, _client_disconnect)
    app.add_exception_handler(Exception, _internal_error)


async def _invalid_row(request: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidRowError)
    count_rejected(error.errors[0].type)
    return _unprocessable(request, error.detail, error.errors)


async def _invalid_query(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # of a query: routes parse bodies themselves
    errors = [_describe_query_error(each) for each in error.errors()]
    more = f" And {len(errors) - 1} more." if len(errors) > 1 else ""
    return _unprocessable(request, errors[0].msg + more, errors[:MAX_ERRORS])


def _describe_query_error(error: Mapping[str, Any]) -> FieldError:
    """Return a Pydantic error of a query parameter in words, without the received value."""
    _, parameter = error["loc"]
    if error["type"] == "extra_forbidden":
        sentence = "The query must have known parameters only (see /docs), got another one."
        return FieldError(["query"], sentence, "unknown_parameter")
    required = {"level": "a number", "errors": "true or false"}.get(parameter, "a name")
    sentence = f"The query's `{parameter}` must be {required}, got another value."
    return FieldError(["query"], sentence, error["type"])


def _unprocessable(request: Request, detail: str, errors: list[FieldError]) -> Response:
    fields = [RefusedField(**error._asdict()) for error in errors]
    return error_response(request.scope["path"], 422, detail, fields)


async def _unknown_model(request: Request, error: Exception) -> Response:
    return error_response(request.scope["path"], 404, str(error))


async def _overloaded(request: Request, error: Exception) -> Response:
    return overloaded_response(request.scope["path"])


async def _shutting_down(request: Request, error: Exception) -> Response:
    return error_response(request.scope["path"], 503, SHUTTING_DOWN, headers=RETRY_LATER)


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(
        request.scope["path"], error.status_code, _detail(error), headers=error.headers
    )


async def _client_disconnect(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)  # counted, but never sent


async def _internal_error(request: Request, error: Exception) -> Response:
    # uvicorn logs the error. No middleware sees this response, so complete its headers here.
    response = error_response(request.scope["path"], 500, INTERNAL_ERROR)
    response.raw_headers = complete_headers(response.raw_headers, request.state.request_id)
    return response


def _detail(error: HTTPException) -> str:
    """Return a sentence; the router's own exceptions have only the status phrase."""
    if error.detail != HTTPStatus(error.status_code).phrase:
        return error.detail
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "another one")
        return f"The method must be {allowed}, got another one."
    return "The path must be one of those in /openapi.json, got another one."
