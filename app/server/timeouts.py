"""Limit how long a client may keep a connection waiting.

One sweep checks all connections twice a second, which is cheaper than a timer for each.
"""

import asyncio
from collections.abc import Iterable
from enum import Enum, auto
from typing import Protocol, cast

from uvicorn.server import ServerState

from app.server.closing import LingeringTransport
from app.server.request_head import TIMED_OUT, ProtocolError

SWEEP_SECONDS = 0.5
DEADLINE_SWEEPS = 16  # 8 seconds, or longer if the process itself was suspended
LINGER_SWEEPS = 4
MIN_BODY_BYTES = 512  # within 8 seconds: two lines of CSV per second pass, a byte per second fails


class TimedConnection(Protocol):
    """What the timeouts need to know of a connection."""

    transport: LingeringTransport
    timeout_keep_alive: int  # seconds
    timeouts: "ConnectionTimeouts"
    bytes_received: int
    requests_started: int

    @property
    def idle(self) -> bool:
        """Whether the last request is answered and nothing has arrived since."""

    @property
    def receiving_body(self) -> bool:
        """Whether the client must send more of a body."""

    @property
    def responding(self) -> bool:
        """Whether a response is under way."""

    def reject(self, error: ProtocolError) -> None:
        """Answer with an error and close."""


class Wait(Enum):
    """What the client must do next."""

    READ = auto()  # the response
    END = auto()  # close, after its request was answered early
    BODY = auto()
    HEAD = auto()
    NEXT_REQUEST = auto()


class ConnectionTimeouts:
    """What one connection waits for, and for how many sweeps already."""

    def __init__(self, connection: TimedConnection) -> None:
        self._connection = connection
        keep_alive_sweeps = connection.timeout_keep_alive / SWEEP_SECONDS
        self._limits = {Wait.NEXT_REQUEST: keep_alive_sweeps, Wait.END: LINGER_SWEEPS}
        self._body_progress = 0  # bytes received when the body last made enough progress
        self._wait: tuple[Wait, object] | None = None
        self._sweeps = 0

    def check(self) -> None:
        """Close or reset the connection if its client has made no progress for too long."""
        wait = self._current_wait()
        if wait != self._wait:
            self._wait, self._sweeps = wait, 0
            return
        self._sweeps += 1
        if wait is None:
            return
        kind, transport = wait[0], self._connection.transport
        if self._sweeps < self._limits.get(kind, DEADLINE_SWEEPS):
            return
        if kind is Wait.NEXT_REQUEST:
            transport.close()
        elif kind in (Wait.READ, Wait.END):
            transport.abort()  # closing would wait for the client to read
        else:
            self._connection.reject(TIMED_OUT)

    def _current_wait(self) -> tuple[Wait, object] | None:
        """Return what the client must do, with a value that changes when it makes progress."""
        connection = self._connection
        if unsent := connection.transport.unsent_bytes():
            return Wait.READ, unsent
        if connection.transport.lingering:
            return Wait.END, None
        if connection.receiving_body:
            if connection.bytes_received - self._body_progress >= MIN_BODY_BYTES:
                self._body_progress = connection.bytes_received
            return Wait.BODY, (connection.requests_started, self._body_progress)
        if connection.responding:
            return None
        is_between = connection.idle and connection.requests_started
        return Wait.NEXT_REQUEST if is_between else Wait.HEAD, connection.requests_started


def start_sweeping(server: ServerState) -> None:
    """Check every connection, now and twice a second from now on."""
    asyncio.get_running_loop().call_later(SWEEP_SECONDS, start_sweeping, server)
    for connection in list(cast("Iterable[TimedConnection]", server.connections)):
        connection.timeouts.check()
