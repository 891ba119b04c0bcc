"""Answers that are put together as bytes, as the app's come out of the server."""

from functools import cache
from http import HTTPStatus

from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.busy import busy_response
from app.record.request_id import request_id
from app.response_headers import NO_PAGE, Headers
from app.v2.errors import is_v2

POLICY_LINE = b"%b: %b\r\n" % NO_PAGE


class FixedHeaders:
    """The headers that the server itself gives every answer, as bytes after a status line."""

    __slots__ = ("closes", "headers", "of_answer", "of_busy")

    def __init__(self, headers: Headers) -> None:
        self.headers = headers
        self.closes = CLOSE_HEADER in headers
        self.of_answer = STATUS_LINE[HTTPStatus.OK] + _lines(headers)
        self.of_busy = STATUS_LINE[HTTPStatus.SERVICE_UNAVAILABLE] + _lines(headers)


def rest_of_answer(lines: bytes, content: bytes, headers: Headers) -> bytes:
    """What follows the fixed headers: lines of the answer's own, the request's id, the content."""
    return b"%bx-request-id: %b\r\n%b\r\n%b" % (lines, request_id(headers), POLICY_LINE, content)


def rest_of_busy(path: str, headers: Headers) -> bytes:
    """What follows the fixed headers where a request is turned away."""
    return rest_of_answer(*_busy(v2=is_v2(path)), headers)


@cache
def _busy(*, v2: bool) -> tuple[bytes, bytes]:
    answer = busy_response("/v2" if v2 else "/")
    return _lines(answer.raw_headers), bytes(answer.body)


def _lines(headers: Headers) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])
