"""Bytes of HTTP/1.1 requests."""

import json

PROBE = b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"


def post(path: str, content: object, *, close: bool = False) -> bytes:
    """A POST request of JSON."""
    body = json.dumps(content)
    last = "Connection: close\r\n" if close else ""
    return (
        f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{last}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def chunk(data: bytes) -> bytes:
    """A piece of a chunked body; an empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)
