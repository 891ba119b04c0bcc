"""The files of the pages and of the models' reports: small, of known kinds, sent with an ETag."""

import re
from pathlib import Path

from fastapi import HTTPException, Request, Response

from app.http.etag import revalidated

STATIC = Path(__file__).parents[1] / "static"

media_type_by_suffix = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".bin": "application/octet-stream",
    ".md": "text/markdown",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
"""Told here, because what Python takes them for depends on its version and on the system."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}(\.[a-z]{2,4})")


def file_response(
    request: Request, directory: Path, name: str, policy: str | None = None
) -> Response:
    """A directory's file of that name, with a Content-Security-Policy; a 404 where there is none.

    It is read for each request: it is small, and the system keeps it in memory.
    """
    known = NAME.fullmatch(name)
    media_type = media_type_by_suffix.get(known[1]) if known else None
    if media_type is None:
        raise HTTPException(404)
    try:
        content = (directory / name).read_bytes()
    except OSError as error:
        raise HTTPException(404) from error
    headers = {"Content-Security-Policy": policy} if policy else None
    return revalidated(request, Response(content, headers=headers, media_type=media_type))
