"""`healthcheck`: ask a running server whether it is ready."""

import argparse
import http.client
from contextlib import closing

from app.commands.exit_status import NOT_READY, fail

TIMEOUT_SECONDS = 3
LOOPBACK_BY_WILDCARD = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared, not bound
"""Where to reach a server that listens on every address."""


def run(options: argparse.Namespace) -> int:
    """Return 0 if the server is ready, NOT_READY otherwise."""
    if _is_ready(options.host, options.port):
        return 0
    return fail(f"The server on {options.host}:{options.port} is not ready", NOT_READY)


def _is_ready(host: str, port: int) -> bool:
    """Whether the server on this host and port answers GET /readyz with 200."""
    host = LOOPBACK_BY_WILDCARD.get(host, host)
    try:
        with closing(http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)) as connection:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException, ValueError):  # ValueError: invalid host name
        return False
