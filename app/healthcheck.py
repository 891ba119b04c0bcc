"""Ask a running server whether it is ready."""

import http.client

TIMEOUT_SECONDS = 3
loopback_of = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # where a server on every address is reached


def is_ready(host: str, port: int) -> bool:
    """Whether the server that listens on this host and port answers GET /readyz with 200."""
    connection = http.client.HTTPConnection(
        loopback_of.get(host, host), port, timeout=TIMEOUT_SECONDS
    )
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
