"""How long a client may keep a connection waiting.

Every connection is looked at twice a second, which is cheaper than a timer for each.
"""

import asyncio
from typing import TYPE_CHECKING, cast

from uvicorn.server import ServerState

from app.server.protocol_errors import TOO_LATE

if TYPE_CHECKING:
    from app.server.protocol import StrictProtocol

SWEEP_SECONDS = 0.5
DEADLINE_SWEEPS = 16  # 8 seconds, or more where the process itself was held up
LINGER_SWEEPS = 4
MIN_BODY_BYTES = 512  # in 8 seconds: two lines of CSV a second are enough, ten bytes are not


class ConnectionTimeouts:
    """What the client of a connection kept it waiting for, and for how many looks."""

    def __init__(self, connection: "StrictProtocol") -> None:
        self._connection = connection
        self._idle_looks = connection.timeout_keep_alive / SWEEP_SECONDS
        self._received_well = 0  # when enough of a body had come
        self._wait: object = None
        self._looks = 0

    def look(self) -> None:
        """Close the connection where its client has kept it waiting for the same at many looks."""
        wait = self._waits_for()
        if wait != self._wait:
            self._wait, self._looks = wait, 0
            return
        self._looks += 1
        if wait is None:
            return
        kind, _ = wait
        transport = self._connection.transport
        if kind == "idle":
            if self._looks >= self._idle_looks:
                transport.close()
        elif kind == "end":
            if self._looks >= LINGER_SWEEPS:
                transport.abort()
        elif self._looks >= DEADLINE_SWEEPS:
            if kind == "read":
                transport.abort()  # closing would wait for what the client does not read
            else:
                self._connection.refuse(TOO_LATE)

    def _waits_for(self) -> tuple[str, object] | None:
        """What the client is to do next, and something that changes when it gets on with it."""
        connection = self._connection
        if unsent := connection.transport.unsent():
            return "read", unsent
        if connection.transport.lingers:
            return "end", None
        if connection.takes_body():
            if connection.received - self._received_well >= MIN_BODY_BYTES:
                self._received_well = connection.received
            return "body", (connection.begun, self._received_well)
        if connection.answers():
            return None
        is_idle = connection.is_quiet and connection.begun == connection.answered
        return "idle" if is_idle else "head", connection.begun


def start_sweeping(state: ServerState) -> None:
    """Look at every connection, from now on."""
    asyncio.get_running_loop().call_later(SWEEP_SECONDS, start_sweeping, state)
    for connection in list(state.connections):
        cast("StrictProtocol", connection).patience.look()
