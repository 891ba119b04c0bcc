"""Responses of the fast path and of load shedding, byte for byte as the app's."""

from functools import cache
from http import HTTPStatus

from app.http.headers import DEFAULT_CSP, Headers
from app.http.problems import overloaded_response

POLICY_LINE = b"%b: %b\r\n" % DEFAULT_CSP


class StatusHead:
    """A status line and the server's own headers, as bytes.

    The server replaces the list of its headers every second, because Date is among them.
    """

    def __init__(self, status: HTTPStatus) -> None:
        self._status_line = b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode())
        self._headers: Headers = []
        self._bytes = self._status_line

    def to_bytes(self, headers: Headers) -> bytes:
        """Return the status line followed by the server's headers."""
        if headers is not self._headers:
            self._headers = headers
            self._bytes = self._status_line + header_block(headers)
        return self._bytes


OK = StatusHead(HTTPStatus.OK)
UNAVAILABLE = StatusHead(HTTPStatus.SERVICE_UNAVAILABLE)


def header_block(headers: Headers) -> bytes:
    """Return headers as lines."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def response_bytes(head: bytes, block: bytes, request_id: bytes, content: bytes) -> bytes:
    """Return a response: its status head, its own header block, its request id, its content."""
    return b"%b%bx-request-id: %b\r\n%b\r\n%b" % (head, block, request_id, POLICY_LINE, content)


@cache
def overloaded(*, v2: bool) -> tuple[bytes, bytes]:
    """Return the header block and the content of the response to a request that is shed."""
    response = overloaded_response("/v2" if v2 else "/")
    return header_block(response.raw_headers), bytes(response.body)
