"""The reason phrases of HTTP statuses, the same on every Python version."""

from http import HTTPStatus

RENAMED = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""By RFC 9110. Python uses these names since 3.13, and older ones before."""


def reason_phrase(status: int) -> str:
    """The reason phrase of a status; raises ValueError for an unknown one."""
    return RENAMED.get(status) or HTTPStatus(status).phrase
