"""One process that serves HTTP: uvicorn with a graceful shutdown and many connections."""

import asyncio
import contextlib
import ipaddress
import resource
import signal
import socket
import threading
from collections.abc import Callable
from typing import cast

import uvicorn
from fastapi import FastAPI

from app.observability.stderr import log_to_stderr
from app.server.closing import drop_new_connections
from app.server.config import ServerConfig
from app.server.protocol import HTTPProtocol
from app.server.reload import reload_all
from app.server.timeouts import start_sweeping
from app.state import state_of

DRAIN_SECONDS = 1.0  # /readyz answers 503, and every response closes its connection
SETTLE_SECONDS = 1.0  # for the first requests of the connections that were accepted last
FINISH_SECONDS = 4.3  # for requests that are still arriving; orchestrators kill after 10
FINISHED_AFTER = DRAIN_SECONDS + SETTLE_SECONDS + FINISH_SECONDS


class DrainingServer(uvicorn.Server):
    """A server that shuts down gracefully: fail readiness, stop accepting, drain.

    With `last`, no other process accepts from its listener after this one.
    """

    def __init__(self, app: FastAPI, on_start: Callable[[], None], *, last: bool) -> None:
        super().__init__(ServerConfig(app))
        self.state = state_of(app)
        self.on_start = on_start
        self.last = last

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        _raise_file_limit()
        log = self.state.access_log
        with log.writing() if log else contextlib.nullcontext():
            super().run(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        start_sweeping(self.server_state)
        self.state.in_flight = self._in_flight
        await self.on_tick(0)  # sets the headers, which it needs even if it shuts down at once
        self.on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.state.draining = True
        headers = self.server_state.default_headers
        self.server_state.default_headers = [*headers, (b"connection", b"close")]
        await asyncio.sleep(DRAIN_SECONDS)
        if self.last:
            for listener in sockets or []:
                drop_new_connections(listener)
        await asyncio.sleep(SETTLE_SECONDS)
        asyncio.get_running_loop().call_later(FINISH_SECONDS, self._close_incomplete)
        await super().shutdown(sockets)

    @property
    def _connections(self) -> list[HTTPProtocol]:
        return [*cast("set[HTTPProtocol]", self.server_state.connections)]

    def _in_flight(self) -> int:
        return sum(connection.in_flight for connection in self._connections)

    def _close_incomplete(self) -> None:
        """Close the connections whose requests have still not arrived."""
        waiting = [connection for connection in self._connections if connection.awaits_client]
        if incomplete := sum(connection.in_flight > 0 for connection in waiting):
            log_to_stderr(
                f"Closed connections with incomplete requests {FINISHED_AFTER:.0f} seconds after "
                f"the signal: {incomplete}"
            )
        for connection in waiting:
            connection.transport.close()


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, finish accepted requests, then raise the signal again.

    SIGHUP reloads the API keys and the models.
    """
    state = state_of(app)
    reloads = (state.reload_models, state.access.reload_keys)
    signal.signal(
        signal.SIGHUP, lambda *_: threading.Thread(target=reload_all, args=reloads).start()
    )
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    DrainingServer(app, lambda: announce(app, listener), last=True).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address; raises OSError if that fails."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def announce(app: FastAPI, listener: socket.socket) -> None:
    """Log what is served and where; warn if anyone may use it."""
    host, port = listener.getsockname()[:2]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    state = state_of(app)
    model = state.models.default.identity
    log_to_stderr(f"Serving {model} on http://{address}, documented at /docs")
    if state.access.api_keys is None and not ipaddress.ip_address(host).is_loopback:
        log_to_stderr(
            f"Anyone who can reach {address} can use the service. "
            "Require API keys with --api-keys-file"
        )


def _raise_file_limit() -> None:
    """Allow as many open files as the system permits: each connection is one."""
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS rejects the limit that it reports
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
