"""The HTTP server: uvicorn, which on SIGTERM warns its clients, then finishes."""

import asyncio
import contextlib
import ctypes
import socket
import struct
import sys

import uvicorn
from fastapi import FastAPI

KEEP_ALIVE_SECONDS = 75  # longer than a proxy in front holds its connections
DRAIN_SECONDS = 0.5  # /readyz says 503 and every answer closes its connection
SETTLE_SECONDS = 0.1  # for the requests of the connections that came last
FINISH_SECONDS = 5  # for requests that are still being sent; orchestrators kill after 10
GIVE_UP_SECONDS = 7  # on requests that are still being answered

SO_ATTACH_FILTER = 26  # <asm-generic/socket.h>; Python's socket module has no name for it
BPF_RETURN_ZERO = struct.pack("HBBI", 0x06, 0, 0, 0)  # a sock_filter that drops every packet


class DrainingServer(uvicorn.Server):
    """A server that is still there for those who have not yet heard that it is going."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self.app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        model = self.app.state.models.default.identity
        print(f"Serving {model} on http://{address}, documented at /docs", file=sys.stderr)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.app.state.draining = True
        headers = self.server_state.default_headers
        self.server_state.default_headers = [*headers, (b"connection", b"close")]
        await asyncio.sleep(DRAIN_SECONDS)
        for listener in sockets or []:
            _turn_away(listener)
        await asyncio.sleep(SETTLE_SECONDS)
        asyncio.get_running_loop().call_later(FINISH_SECONDS, self._hang_up_on_unfinished_requests)
        await super().shutdown(sockets)

    def _hang_up_on_unfinished_requests(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.close()


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Answer requests until SIGTERM or SIGINT, finish those that came, raise the signal again."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,  # costs as much as half of all requests
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GIVE_UP_SECONDS,
    )
    DrainingServer(config, app).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address; raises OSError where that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _turn_away(listener: socket.socket) -> None:
    """Let no new connection into the listener's queue, so that it can be emptied before it closes.

    Closing a listener resets the connections that wait in its queue, which their clients take for
    accepted. Linux can drop what is sent to it instead: a client tries again, and is then refused.
    """
    instruction = ctypes.create_string_buffer(BPF_RETURN_ZERO)
    program = struct.pack("HP", 1, ctypes.addressof(instruction))
    with contextlib.suppress(OSError):  # elsewhere, the moment between the two stays
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
