"""One process that answers HTTP: uvicorn, which on SIGTERM warns its clients, then finishes."""

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
from app.server.config import ServerConfig
from app.server.drop_new_connections import drop_new_connections
from app.server.fast_protocol import FastPathProtocol
from app.server.reload import reload_all
from app.server.timeouts import start_sweeping
from app.state import state_of

DRAIN_SECONDS = 1.0  # /readyz says 503 and every answer closes its connection
SETTLE_SECONDS = 1.0  # for the first requests of the connections that came last
FINISH_SECONDS = 4.3  # for requests that are still being sent; orchestrators kill after 10
TIME_TO_FINISH = f"{DRAIN_SECONDS + SETTLE_SECONDS + FINISH_SECONDS:.0f} seconds after the signal"


class DrainingServer(uvicorn.Server):
    """A server that is still there for those who have not yet heard that it is going.

    `last` says that no other process will take connections from its listener after it.
    """

    def __init__(self, app: FastAPI, on_start: Callable[[], None], *, last: bool) -> None:
        super().__init__(ServerConfig(app))
        self.state = state_of(app)
        self.on_start = on_start
        self.last = last

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        _allow_many_connections()
        log = self.state.access_log
        with log.writing() if log else contextlib.nullcontext():
            super().run(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        start_sweeping(self.server_state)
        self.state.in_flight = self._in_flight
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
        asyncio.get_running_loop().call_later(FINISH_SECONDS, self._hang_up_on_who_still_sends)
        await super().shutdown(sockets)

    @property
    def _connections(self) -> list[FastPathProtocol]:
        return [*cast("set[FastPathProtocol]", self.server_state.connections)]

    def _in_flight(self) -> int:
        return sum(connection.begun - connection.answered for connection in self._connections)

    def _hang_up_on_who_still_sends(self) -> None:
        slow = [connection for connection in self._connections if connection.awaits_client()]
        if cut_off := sum(connection.begun > connection.answered for connection in slow):
            log_to_stderr(
                f"Requests cut off that were still being sent {TIME_TO_FINISH}: {cut_off}"
            )
        for connection in slow:
            connection.transport.close()


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Answer requests until SIGTERM or SIGINT, finish those that came, raise the signal again.

    SIGHUP reloads the API keys and the models.
    """
    state = state_of(app)
    reloads = (state.reload_models, state.access.reload_keys)
    signal.signal(
        signal.SIGHUP, lambda *_: threading.Thread(target=reload_all, args=reloads).start()
    )
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    DrainingServer(app, lambda: greet(app, listener), last=True).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address; raises OSError where that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def greet(app: FastAPI, listener: socket.socket) -> None:
    """Say on standard error what is served, and where."""
    host, port = listener.getsockname()[:2]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    state = state_of(app)
    model = state.models.default.identity
    log_to_stderr(f"Serving {model} on http://{address}, documented at /docs")
    if state.access.api_keys is None and not ipaddress.ip_address(host).is_loopback:
        log_to_stderr(f"Whoever reaches {address} gets in, because there is no --api-keys-file")


def _allow_many_connections() -> None:
    """As many as the system lets a process have: a thousand silent ones would take all others'."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS has a limit that it does not tell
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
