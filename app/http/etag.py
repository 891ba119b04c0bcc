"""Revalidation: a client that already has a response gets 304 instead of the body."""

import hashlib

from fastapi import Request, Response

from app.http.headers import CSP


def revalidated(request: Request, response: Response) -> Response:
    """Return the response with the ETag of its body, or 304 if If-None-Match names that ETag."""
    etag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}  # cache it, but revalidate each time
    if CSP.decode() in response.headers:  # browsers replace the cached headers with those of a 304
        headers[CSP.decode()] = response.headers[CSP.decode()]
    known = [
        tag.strip().removeprefix("W/")
        for header in request.headers.getlist("if-none-match")
        for tag in header.split(",")
    ]
    if etag in known or known == ["*"]:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response
