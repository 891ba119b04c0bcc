"""One JSON shape for every refused request: problem+json (RFC 9457), never echoing the input.

Below /v2 it is the shape of that protocol.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.http.headers import complete
from app.http.problems import RefusedField, error_response, overloaded_response
from app.inference.overload import OverloadedError
from app.inference.registry import UnknownModelError
from app.inference.row_errors import FieldError, describe_errors, invalid_json, not_an_object
from app.observability.metrics import count_rejected
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
    found = error.errors()
    of_query = [entry for entry in found if entry["loc"][0] == "query"]
    if of_query:
        errors = [*map(describe_query_error, of_query)]
        detail = errors[0].msg + (f" And {len(errors) - 1} more." if errors[1:] else "")
    else:
        detail, errors = _describe_body_errors(found)
        count_rejected(errors[0].type)
    fields = [RefusedField(**error._asdict()) for error in errors]
    return error_response(request.scope["path"], 422, detail, fields)


def describe_query_error(error: Mapping[str, Any]) -> FieldError:
    """Return one of Pydantic's errors of the query in words, without the input that it carries."""
    parameter, kind = error["loc"][1], error["type"]
    if kind == "extra_forbidden":
        sentence = "The query must have known parameters only (see /docs), got another one."
        return FieldError(["query"], sentence, "unknown_parameter")
    required = {"level": "a number", "errors": "true or false"}.get(parameter, "a name")
    sentence = f"The query's `{parameter}` must be {required}, got another value."
    return FieldError(["query"], sentence, kind)


def _describe_body_errors(errors: Sequence[Any]) -> tuple[str, list[FieldError]]:
    (_, *path), kind = errors[0]["loc"], errors[0]["type"]
    if kind == "json_invalid":
        sentence = invalid_json(
            "The body", json.JSONDecodeError(errors[0]["ctx"]["error"], "", path[0])
        )
        return sentence, [FieldError(["body"], sentence, kind)]
    if kind == "missing" and not path:
        sentence = not_an_object("The body", "but it is empty")
        return sentence, [FieldError(["body"], sentence, kind)]
    return describe_errors([{**error, "loc": error["loc"][1:]} for error in errors])


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
