"""Validate request heads: size, framing and Host.

uvicorn's parser has no size limits, and accepts some heads that a proxy may read differently
(request smuggling). Violations are raised as ProtocolViolationError.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from app.http.headers import Headers

KIBIBYTE = 1024
MAX_LINE_BYTES = 8 * KIBIBYTE  # RFC 9112 recommends at least 8,000
MAX_TARGET_BYTES = MAX_LINE_BYTES - len("OPTIONS  HTTP/1.1")
MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 * KIBIBYTE
SURPLUS_BYTES = 4 * KIBIBYTE  # for separators and blanks, which the parser discards
MAX_HEAD_BYTES = MAX_LINE_BYTES + MAX_HEADER_BYTES + SURPLUS_BYTES

HOST = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[\w.~%-]{1,255})(:\d{0,5})?")  # as in a URL


class ProtocolError(NamedTuple):
    """The response to a request that never reaches the app."""

    status: int
    detail: str


class ProtocolViolationError(Exception):
    """HTTP that the parser accepts and this service rejects."""

    def __init__(self, response: ProtocolError) -> None:
        super().__init__(response.detail)
        self.response = response


MALFORMED = ProtocolError(400, "The request must be well-formed HTTP/1.1, got something else.")
INVALID_HOST = ProtocolError(
    400, "The request must have one Host, a name or an address, got none or something else."
)
TIMED_OUT = ProtocolError(
    408,
    "The request must arrive within 8 seconds, and a longer body at 512 bytes per 8 seconds or "
    "faster, got less.",
)
LONG_TARGET = ProtocolError(
    414, f"The request line must have at most {MAX_LINE_BYTES:,} bytes, got more."
)
LARGE_HEADERS = ProtocolError(
    431,
    f"The request must have at most {MAX_HEADERS} headers and {MAX_HEADER_BYTES:,} bytes of them, "
    "got more.",
)


class Framing(NamedTuple):
    """How a request's body is delimited."""

    is_http_1_0: bool
    is_chunked: bool
    content_length: int  # 0 if the request has no Content-Length


def check_size(target: bytes, headers: Headers, head_bytes: int) -> None:
    """Reject a head, or trailers, that are too large; called before they are complete.

    `head_bytes` counts all bytes parsed since the last complete head or piece of a body.
    """
    if len(target) > MAX_TARGET_BYTES:
        raise ProtocolViolationError(LONG_TARGET)
    if len(headers) > MAX_HEADERS or head_bytes > MAX_HEAD_BYTES:
        raise ProtocolViolationError(LARGE_HEADERS)
    if head_bytes > MAX_HEADER_BYTES - SURPLUS_BYTES:  # only then is an exact sum needed
        header_bytes = sum(len(name) + len(value) + len(": \r\n") for name, value in headers)
        if header_bytes > MAX_HEADER_BYTES:
            raise ProtocolViolationError(LARGE_HEADERS)


def read_framing(version: str, headers: Headers) -> Framing:
    """Return the framing of a body; reject a head that a proxy may read differently."""
    hosts, codings, content_length = [], [], 0
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"content-length":
            content_length = int(value)  # the parser accepts only one, and only digits
        elif name == b"transfer-encoding":
            codings.append(value.lower())
    is_http_1_0 = version == "1.0"
    if not (is_http_1_0 or version == "1.1") or codings not in ([], [b"chunked"]):
        raise ProtocolViolationError(MALFORMED)
    if is_http_1_0 and codings:
        raise ProtocolViolationError(MALFORMED)
    if len(hosts) != 1:
        if hosts or not is_http_1_0:
            raise ProtocolViolationError(INVALID_HOST)
    elif not _is_host(hosts[0]):
        raise ProtocolViolationError(INVALID_HOST)
    return Framing(is_http_1_0, bool(codings), content_length)


@lru_cache(maxsize=256)
def _is_host(host: bytes) -> bool:
    return HOST.fullmatch(host) is not None
