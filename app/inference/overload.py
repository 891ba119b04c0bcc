"""How a request is refused that others leave no time for."""

from fastapi import HTTPException, Response

from app.api.errors import error_response
from app.http.openapi_errors import ErrorDocs, error_docs, v2_error_docs

RETRY_LATER = {"Retry-After": "1"}  # second
BUSY = "The service must have time for a request, however others take all of it now."

DESCRIPTION = "More requests have come than can be answered; this one can be sent again."
BUSY_DOCUMENTED: ErrorDocs = error_docs(503, DESCRIPTION, BUSY)
BUSY_INFERENCE: ErrorDocs = v2_error_docs(503, DESCRIPTION, BUSY)


class ConcurrencyLimit:
    """So many may be there at a time; whoever comes then is told to come again, by a 503."""

    def __init__(self, number: int) -> None:
        self._free = number

    def __enter__(self) -> None:
        if not self._free:
            raise busy_error()
        self._free -= 1

    def __exit__(self, *_: object) -> None:
        self._free += 1


def busy_error() -> HTTPException:
    """A 503 that says when to try again."""
    return HTTPException(503, BUSY, headers=RETRY_LATER)


def busy_response(path: str) -> Response:
    """The same as a response of an address."""
    return error_response(path, 503, BUSY, headers=RETRY_LATER)
