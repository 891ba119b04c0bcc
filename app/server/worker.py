"""A worker: one of several processes that serve HTTP from the same listening socket."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection

from fastapi import FastAPI

from app.access.api_keys import APIKeys
from app.inference.registry import LoadedModels
from app.server.heartbeat import Heartbeat
from app.server.server import DrainingServer
from app.state import AppState, ShuttingDownError, state_of
from models.saved_model.storage import SavedModelError


class ReloadEverywhere:
    """A worker's reload: the supervisor reloads, and replies once every worker has followed."""

    def __init__(self, state: AppState, requests: Connection, supervisor: int) -> None:
        self._state = state
        self._requests = requests
        self._supervisor = supervisor  # its process ID
        self._lock = threading.Lock()

    def __call__(self, name: str | None) -> LoadedModels:
        """Reload as ReloadModels describes."""
        with self._lock:
            error = self._request(name)
            models = self._state.models
        if error is not None:
            raise error
        return models

    def _request(self, name: str | None) -> Exception | None:
        try:
            self._requests.send(name)
            os.kill(self._supervisor, signal.SIGUSR1)
            error: SavedModelError | None = self._requests.recv()
        except (EOFError, OSError):  # the supervisor is shutting down
            return ShuttingDownError()
        return error


def run_worker(
    app: FastAPI,
    listener: socket.socket,
    supervisor: int,
    orders: Connection,
    requests: Connection,
    heartbeat: Heartbeat,
    supervisor_ends: Sequence[Connection],
) -> None:
    """Serve until the supervisor closes the connection; called in the forked process."""
    for end in supervisor_ends:  # inherited copies would keep the connections open
        end.close()
    state = state_of(app)
    state.reload_models = ReloadEverywhere(state, requests, supervisor)

    def on_start() -> None:
        heartbeat.beat()
        with contextlib.suppress(OSError):  # the supervisor is shutting down already
            orders.send(None)

    server = DrainingServer(app, on_start, last=False)
    threading.Thread(target=_follow_orders, args=(orders, server), daemon=True).start()
    # Only the supervisor handles SIGHUP, and the Ctrl-C that a terminal sends to all processes.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    server.run(sockets=[listener])


def _follow_orders(orders: Connection, server: DrainingServer) -> None:
    """Serve the models and keys that the supervisor sends; shut down when it closes or ends."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            value = orders.recv()
            if isinstance(value, APIKeys):
                server.state.access.api_keys = value
            else:
                server.state.models = value
            orders.send(None)
    server.last = True  # all workers shut down together
    server.should_exit = True
