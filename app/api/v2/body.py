"""The body of a request: limited, decompressed, and where its JSON ends."""

import re
import zlib

from fastapi import HTTPException, Request
from starlette.datastructures import Headers

from app.http.bodies import read_at_most, too_large

MAX_BYTES = 4 * 1024 * 1024  # 10,000 rows of JSON have about 1.6 MB
TOO_LARGE = f"The body must have at most {MAX_BYTES:,} bytes, however it has more."

window_bits = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""What tells zlib the format of a Content-Encoding."""


async def read_body(request: Request) -> bytes:
    """The body as it was before compression.

    Raises HTTPException: 400, 413 or 415.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", *window_bits):
        raise HTTPException(
            415, "The Content-Encoding must be gzip or deflate, however another one came."
        )
    received = await read_at_most(request, MAX_BYTES, TOO_LARGE)
    return received if encoding == "identity" else _decompress(received, window_bits[encoding])


def length_of_json(headers: Headers, size: int) -> int:
    """How many bytes of a body of some size are its JSON; buffers of numbers follow.

    Raises HTTPException, a 400.
    """
    length = headers.get("inference-header-content-length")
    if length is None:
        return size
    if not re.fullmatch("[0-9]{1,9}", length) or int(length) > size:
        raise HTTPException(
            400,
            "Inference-Header-Content-Length must be a number of bytes of the body, "
            "however it is not.",
        )
    return int(length)


def _decompress(received: bytes, bits: int) -> bytes:
    """Never more than the limit and a byte are unpacked, whatever they were packed into."""
    decompressor = zlib.decompressobj(bits)
    try:
        content = decompressor.decompress(received, MAX_BYTES + 1)
    except zlib.error as error:
        raise _broken_compression() from error
    if len(content) > MAX_BYTES:
        raise too_large(TOO_LARGE)
    if not decompressor.eof or decompressor.unused_data:
        raise _broken_compression()
    return content


def _broken_compression() -> HTTPException:
    return HTTPException(
        400, "The body must be compressed as its Content-Encoding says, however it is not."
    )
