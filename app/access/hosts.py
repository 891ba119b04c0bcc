"""400 for a request that was sent to another host's name.

A web page can make its own name lead to this machine (DNS rebinding), and its visitors' browsers
then take the service for a part of it. They still send the page's name as Host.

400 is what RFC 9110 has for a Host that is not valid. A 421 would ask the client to try again over
another connection, which comes to the same.
"""

import re
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.public_paths import PROBES
from app.http.headers import Headers
from app.http.problems import error_response

REFUSAL = "The Host must be a name that this service is known by, however it is not."


class HostNames:
    """The names that this service is known by, on whatever port."""

    def __init__(self, hosts: Sequence[str]) -> None:
        names = "|".join(map(_pattern, hosts))
        self._with_port = re.compile(f"(?:{names})(?::[0-9]*)?".encode(), re.IGNORECASE)

    def are_meant(self, headers: Headers) -> bool:
        """Whether a request has one Host, which is one of them."""
        came = [value for header, value in headers if header == b"host"]
        return len(came) == 1 and self._with_port.fullmatch(came[0]) is not None


class AllowedHosts:
    """Lets a request pass that was sent to one of the names."""

    def __init__(self, app: ASGIApp, names: HostNames) -> None:
        self.app = app
        self.names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it; probes pass, which are sent to an address."""
        if scope["type"] == "http" and not (
            scope["path"] in PROBES or self.names.are_meant(scope["headers"])
        ):
            await error_response(scope["path"], 400, REFUSAL)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _pattern(host: str) -> str:
    if host.startswith("*."):
        return "[a-z0-9._-]+" + re.escape(host[1:])
    return re.escape(host)
