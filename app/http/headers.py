"""What every answer carries: what browsers must not do with it, and the request's id."""

from collections.abc import Iterable

FIXED_HEADERS = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),  # is not looked at where CORS is
]
"""Sent by the server itself, also with what it refuses before the app hears of it."""

POLICY = b"content-security-policy"
NO_PAGE = (POLICY, b"default-src 'none'; frame-ancestors 'none'")

Headers = list[tuple[bytes, bytes]]


def complete(headers: Iterable[tuple[bytes, bytes]], request_id: bytes) -> Headers:
    """An answer's headers with the request's id, and a Content-Security-Policy if they have none.

    That one cannot be fixed: of two policies both are enforced, and a page needs its own.
    """
    completed = [*headers, (b"x-request-id", request_id)]
    for name, _ in completed:
        if name == POLICY:
            return completed
    completed.append(NO_PAGE)
    return completed
