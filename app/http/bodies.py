"""What a request's body is said to be, and how much of it is taken."""

import email.message
from collections.abc import AsyncIterator

from fastapi import HTTPException, Request
from starlette.datastructures import Headers

MAX_CONTENT_TYPE_LENGTH = 128


def require_media_type(headers: Headers, *accepted: str) -> str:
    """Which of the accepted media types the body is said to have.

    Raises an HTTPException, 415, unless it is one of them, in UTF-8 and as it is.
    """
    content_type = email.message.Message()
    named = headers.get("content-type", "")
    if len(named) <= MAX_CONTENT_TYPE_LENGTH:  # the parser takes quadratic time
        content_type["content-type"] = named
    media_type = content_type.get_content_type()
    if "content-type" not in headers or media_type not in accepted:
        came = "another one came" if "content-type" in headers else "none came"
        hint = f" (with curl, add: -H 'content-type: {accepted[0]}')" if len(accepted) == 1 else ""
        raise HTTPException(
            415, f"The Content-Type must be {' or '.join(accepted)}, however {came}{hint}."
        )
    if _charset(content_type) not in ("utf-8", "utf8"):
        raise HTTPException(415, "The charset must be UTF-8, however another one came.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(
            415, "The body must not be compressed, however the Content-Encoding says that it is."
        )
    return media_type


def _charset(content_type: email.message.Message) -> str:
    """UTF-8 where none is named; empty where what is named cannot be read."""
    try:
        if content_type.get_param("charset") is None:
            return "utf-8"
        return content_type.get_content_charset("")
    except (TypeError, ValueError):  # it comes in pieces (RFC 2231) that do not fit together
        return ""


async def read_at_most(request: Request, most_bytes: int, refusal: str) -> bytes:
    """The body as a whole; raises an HTTPException, 413, where it is too large."""
    require_announced_size(request.headers, most_bytes, refusal)
    return b"".join([piece async for piece in at_most(request.stream(), most_bytes, refusal)])


def require_announced_size(headers: Headers, most_bytes: int, refusal: str) -> None:
    """Raise an HTTPException, 413, where the Content-Length is too large already."""
    length = headers.get("content-length", "")
    if length.isdecimal() and float(length) > most_bytes:  # another one is the server's to refuse
        raise too_large(refusal)


async def at_most(
    pieces: AsyncIterator[bytes], most_bytes: int, refusal: str
) -> AsyncIterator[bytes]:
    """The pieces of a body; raises an HTTPException, 413, where they come to too much."""
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > most_bytes:
            raise too_large(refusal)
        yield piece


def too_large(refusal: str) -> HTTPException:
    """A 413 that closes the connection, instead of reading the rest of the body."""
    return HTTPException(413, refusal, headers={"Connection": "close"})
