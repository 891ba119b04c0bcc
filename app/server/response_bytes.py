"""Answers that are put together as bytes, as the app's come out of the server."""

from functools import cache
from http import HTTPStatus

from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.http.headers import DEFAULT_CSP, Headers
from app.http.problems import overloaded_response

POLICY_LINE = b"%b: %b\r\n" % DEFAULT_CSP


class FixedHeaders:
    """The headers that the server itself gives every answer, as bytes after a status line."""

    __slots__ = ("closes", "headers", "of_answer", "of_busy")

    def __init__(self, headers: Headers) -> None:
        self.headers = headers
        self.closes = CLOSE_HEADER in headers
        self.of_answer = STATUS_LINE[HTTPStatus.OK] + _lines(headers)
        self.of_busy = STATUS_LINE[HTTPStatus.SERVICE_UNAVAILABLE] + _lines(headers)


def rest_of_answer(lines: bytes, content: bytes, request_id: bytes) -> bytes:
    """What follows the fixed headers: lines of the answer's own, the request's id, the content."""
    return b"%bx-request-id: %b\r\n%b\r\n%b" % (lines, request_id, POLICY_LINE, content)


@cache
def busy(*, v2: bool) -> tuple[bytes, bytes]:
    """The lines and the content of an answer by which a request is turned away."""
    answer = overloaded_response("/v2" if v2 else "/")
    return _lines(answer.raw_headers), bytes(answer.body)


def _lines(headers: Headers) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])
