"""Request bodies: check the media type, limit the size, decompress."""

import email.message
import zlib
from collections.abc import AsyncIterator

from fastapi import HTTPException, Request
from starlette.datastructures import Headers

MAX_CONTENT_TYPE_LENGTH = 128

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""zlib's argument for each Content-Encoding."""


def require_media_type(headers: Headers, *accepted: str) -> str:
    """Return the body's media type.

    Raises HTTPException 415 unless it is accepted and the body is UTF-8 and not compressed.
    """
    content_type = email.message.Message()
    received = headers.get("content-type", "")
    if len(received) <= MAX_CONTENT_TYPE_LENGTH:  # parsing takes quadratic time
        content_type["content-type"] = received
    media_type = content_type.get_content_type()
    if "content-type" not in headers or media_type not in accepted:
        got = "another one" if "content-type" in headers else "none"
        remedy = f" With curl, add -H 'content-type: {accepted[0]}'." if len(accepted) == 1 else ""
        raise HTTPException(
            415, f"The Content-Type must be {' or '.join(accepted)}, got {got}.{remedy}"
        )
    if _charset(content_type) not in ("utf-8", "utf8"):
        raise HTTPException(415, "The charset must be UTF-8, got another one.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(
            415, "The body must not be compressed. Send it without Content-Encoding."
        )
    return media_type


def _charset(content_type: email.message.Message) -> str:
    """Return UTF-8 when no charset is named, an empty string when it cannot be parsed."""
    try:
        if content_type.get_param("charset") is None:
            return "utf-8"
        return content_type.get_content_charset("")
    except (TypeError, ValueError):  # malformed RFC 2231 continuations
        return ""


async def read_body(request: Request, max_bytes: int, too_large_detail: str) -> bytes:
    """Return the whole body; raises HTTPException 413 when it is too large."""
    length = request.headers.get("content-length", "")
    # float, because int rejects thousands of digits. The server rejects a length without digits.
    if length.isdecimal() and float(length) > max_bytes:
        raise _too_large(too_large_detail)
    chunks = limit_size(request.stream(), max_bytes, too_large_detail)
    return b"".join([chunk async for chunk in chunks])


async def limit_size(
    chunks: AsyncIterator[bytes], max_bytes: int, too_large_detail: str
) -> AsyncIterator[bytes]:
    """Yield the chunks of a body; raises HTTPException 413 once it is too large."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(too_large_detail)
        yield chunk


async def read_compressed_body(request: Request, max_bytes: int, too_large_detail: str) -> bytes:
    """Return the whole body, decompressed as its Content-Encoding says.

    Raises HTTPException: 413 when it is too large, compressed or not; 415 for an encoding other
    than gzip or deflate; 400 when it cannot be decompressed.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", *_WINDOW_BITS):
        raise HTTPException(415, "The Content-Encoding must be gzip or deflate, got another one.")
    body = await read_body(request, max_bytes, too_large_detail)
    if encoding == "identity":
        return body
    decompressor = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        # The limit bounds the memory that a small body may expand to.
        content = decompressor.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise _corrupt(encoding) from error
    if len(content) > max_bytes:
        raise _too_large(too_large_detail)
    if not decompressor.eof or decompressor.unused_data:
        raise _corrupt(encoding)
    return content


def _too_large(detail: str) -> HTTPException:
    # Closing the connection saves reading the rest of the body.
    return HTTPException(413, detail, headers={"Connection": "close"})


def _corrupt(encoding: str) -> HTTPException:
    return HTTPException(400, f"The body must be valid {encoding} as its Content-Encoding says.")
