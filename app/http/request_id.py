"""X-Request-ID and traceparent: what a request is called in the logs along its way."""

import random
import re

from app.http.headers import Headers

REQUEST_ID_HEADER = "X-Request-ID"

SAFE_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
TRACEPARENT = re.compile(  # W3C Trace Context: version, trace, parent, flags
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


def request_id(headers: Headers) -> bytes:
    """The id that the client sent, if it is safe to send back and to log, or else a new one."""
    sent = _header(headers, b"x-request-id")
    return sent if sent is not None and SAFE_ID.fullmatch(sent) else _new_id()


def traceparent(headers: Headers) -> str | None:
    """The trace that a request belongs to, if it says so in the W3C's form."""
    sent = _header(headers, b"traceparent")
    return sent.decode() if sent is not None and TRACEPARENT.fullmatch(sent) else None


def _header(headers: Headers, name: bytes) -> bytes | None:
    for header, value in headers:
        if header == name:
            return value
    return None


def _new_id() -> bytes:
    """128 random bits: unique, also over workers, each of which Python seeds after its fork."""
    return b"%032x" % random.getrandbits(128)  # it need not be hard to guess
