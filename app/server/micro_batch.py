"""Micro-batching: requests of one event-loop iteration share one call of the model."""

import asyncio
from typing import Protocol

from uvicorn.server import ServerState

from app.server.fast_path import FastPath, PendingPrediction

MAX_MICRO_BATCH = 32  # beyond it, a row costs no less, and the first ones wait longer


class FastConnection(Protocol):
    """A connection that waits for a response of the fast path."""

    server_state: ServerState

    def send_fast_response(self, response: bytes | None) -> None:
        """Send a response; None starts the app on the request."""


class MicroBatcher:
    """Collects pending predictions of all connections, and sends each its response."""

    def __init__(self, fast_path: FastPath) -> None:
        self._fast_path = fast_path
        self._connections: list[FastConnection] = []
        self._batch: list[PendingPrediction] = []

    def submit(self, connection: FastConnection, pending: PendingPrediction) -> None:
        """Respond at the end of this iteration, or at once if the batch is full."""
        if not self._batch:
            asyncio.get_running_loop().call_soon(self.flush)
        self._connections.append(connection)
        self._batch.append(pending)
        if len(self._batch) == MAX_MICRO_BATCH:
            self.flush()

    def flush(self) -> None:
        """Respond to all pending requests."""
        if not self._batch:
            return
        connections, batch = self._connections, self._batch
        self._connections, self._batch = [], []
        headers = connections[0].server_state.default_headers
        responses = self._fast_path.respond(batch, headers)
        for connection, response in zip(connections, responses, strict=True):
            connection.send_fast_response(response)
