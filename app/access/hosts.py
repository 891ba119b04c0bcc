"""Reject requests that were sent to another host name.

A malicious web page can point its own host name at this machine (DNS rebinding); browsers then
treat the service as part of that page, but still send the page's name as Host.

The status is 400, which RFC 9110 defines for an invalid Host. A 421 would tell the client to retry
over another connection, which cannot help.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.policy import PROBES
from app.http.headers import Headers
from app.http.problems import error_response

UNKNOWN_HOST = "The Host must be one of the service's allowed hosts, got another name."


class HostNames:
    """The allowed host names; any port may follow one."""

    def __init__(self, hosts: Sequence[str]) -> None:
        names = "|".join(map(_pattern, hosts))
        pattern = re.compile(f"(?:{names})(?::[0-9]*)?".encode(), re.IGNORECASE)
        self._is_allowed = lru_cache(maxsize=64)(lambda host: pattern.fullmatch(host) is not None)

    def allow(self, headers: Headers) -> bool:
        """Return whether a request has exactly one Host, and an allowed one."""
        hosts = [value for name, value in headers if name == b"host"]
        return len(hosts) == 1 and self._is_allowed(hosts[0])


class AllowedHosts:
    """ASGI middleware that rejects requests to other hosts, except for probes."""

    def __init__(self, app: ASGIApp, names: HostNames) -> None:
        self.app = app
        self.names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward or reject a request."""
        if scope["type"] == "http" and not (
            scope["path"] in PROBES or self.names.allow(scope["headers"])
        ):
            await error_response(scope["path"], 400, UNKNOWN_HOST)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _pattern(host: str) -> str:
    if host.startswith("*."):
        return "[a-z0-9._-]+" + re.escape(host[1:])
    return re.escape(host)
