"""One JSON shape for every refused request: problem+json (RFC 9457), never echoing the input.

Below /v2 it is the shape of that protocol.
"""

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.http.headers import complete
from app.http.problems import RefusedField, error_response, overloaded_response
from app.inference.overload import OverloadedError
from app.inference.registry import UnknownModelError
from app.inference.row_errors import describe_errors
from app.observability.metrics import count_refused
from app.observability.middleware import CLIENT_GONE


def add_error_handlers(app: FastAPI) -> None:
    """Answer every refused or failed request of an app in the shape that its address has."""
    app.add_exception_handler(RequestValidationError, _refused_input)
    app.add_exception_handler(UnknownModelError, _unknown_model)
    app.add_exception_handler(OverloadedError, _overloaded)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _nobody_there)
    app.add_exception_handler(Exception, _unexpected)


async def _refused_input(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    detail, errors = describe_errors(error.errors())
    of_row = [field.type for field in errors if field.loc[0] == "body"]
    if of_row:
        count_refused(of_row[0])
    fields = [RefusedField(**error._asdict()) for error in errors]
    return error_response(request.scope["path"], 422, detail, fields)


async def _unknown_model(request: Request, error: Exception) -> Response:
    return error_response(request.scope["path"], 404, str(error))


async def _overloaded(request: Request, error: Exception) -> Response:
    return overloaded_response(request.scope["path"])


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(
        request.scope["path"], error.status_code, _detail(request, error), headers=error.headers
    )


async def _nobody_there(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)  # is counted, and not sent


async def _unexpected(request: Request, error: Exception) -> Response:
    # uvicorn logs the error. This answer goes out around every middleware.
    response = error_response(
        request.scope["path"], 500, "The service failed, and it is not the request's fault."
    )
    response.raw_headers = complete(response.raw_headers, request.state.request_id)
    return response


def _detail(request: Request, error: HTTPException) -> str:
    """What this project raised says it itself; what the router raised is only a phrase."""
    if error.detail != HTTPStatus(error.status_code).phrase:
        return error.detail
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "another one")
        return f"The method must be {allowed}, however another one came."
    return "The address must be one of those in /openapi.json, however it is not."
