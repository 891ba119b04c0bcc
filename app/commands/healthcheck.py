"""Ask a running server whether it is ready."""

import http.client
from contextlib import closing

TIMEOUT_SECONDS = 3
loopback_of = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # where a server on every address is reached


def is_ready(host: str, port: int) -> bool:
    """Whether the server that listens on this host and port answers GET /readyz with 200."""
    try:
        with closing(
            http.client.HTTPConnection(loopback_of.get(host, host), port, timeout=TIMEOUT_SECONDS)
        ) as connection:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException, ValueError):  # ValueError: no host has that name
        return False
