"""Headers that many responses share: the fixed ones, the request ID, and the model's identity."""

import random
import re
from collections.abc import Iterable
from typing import Any

Headers = list[tuple[bytes, bytes]]
"""Pairs of a name in lower case and a value, as in ASGI."""

FIXED_HEADERS = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),  # browsers ignore it in CORS requests
]
"""The server itself adds these, so they are also in responses that never reach the app."""

CSP = b"content-security-policy"
DEFAULT_CSP = (CSP, b"default-src 'none'; frame-ancestors 'none'")

REQUEST_ID_HEADER = "X-Request-ID"
MODEL_HEADER = "X-Model"

MODEL_HEADER_DOCS: dict[str, Any] = {
    "headers": {
        MODEL_HEADER: {
            "description": "The name and version of the model that predicted.",
            "schema": {"type": "string"},
        }
    }
}
"""OpenAPI's description of the model header, whose value is, for example, `notebook@1f2e3d4c`."""

_SAFE_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACEPARENT = re.compile(  # W3C Trace Context: version, trace, parent, flags
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


def complete_headers(headers: Iterable[tuple[bytes, bytes]], request_id: bytes) -> Headers:
    """Return a response's headers with the request ID and, if missing, the default CSP.

    The CSP is not among FIXED_HEADERS, because browsers enforce every CSP of a response and a
    page needs a different one.
    """
    completed = [*headers, (b"x-request-id", request_id)]
    for name, _ in completed:
        if name == CSP:
            return completed
    completed.append(DEFAULT_CSP)
    return completed


def request_id(headers: Headers) -> bytes:
    """Return the client's request ID if it is safe to echo and log, otherwise a new one."""
    received = _first(headers, b"x-request-id")
    return received if received is not None and _SAFE_ID.fullmatch(received) else _new_id()


def traceparent(headers: Headers) -> str | None:
    """Return the trace context of a request, None if it is missing or malformed."""
    received = _first(headers, b"traceparent")
    return received.decode() if received is not None and _TRACEPARENT.fullmatch(received) else None


def _first(headers: Headers, name: bytes) -> bytes | None:
    for header, value in headers:
        if header == name:
            return value
    return None


def _new_id() -> bytes:
    """Return 128 random bits in hex; Python seeds each worker anew after its fork."""
    return b"%032x" % random.getrandbits(128)  # unique, but it need not be hard to guess
