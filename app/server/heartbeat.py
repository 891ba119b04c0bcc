"""Detect a worker whose event loop stands still, because it is stopped or stuck."""

import asyncio
import mmap

BEAT_SECONDS = CHECK_SECONDS = 1.0
MAX_MISSED_BEATS = 10  # consecutive checks; no single callback of the event loop takes that long


class Heartbeat:
    """A counter in memory that a worker shares with its supervisor; made before the fork.

    The worker's event loop increments it. Writing memory never blocks, unlike a message to a
    supervisor that is busy.
    """

    def __init__(self) -> None:
        self._counter = mmap.mmap(-1, 1)  # anonymous, and shared across a fork
        self._last_count = self._missed = 0  # of the supervisor's checks

    def beat(self) -> None:
        """In the worker: beat now, and once a second in the running event loop."""
        self._counter[0] = (self._counter[0] + 1) % 256
        asyncio.get_running_loop().call_later(BEAT_SECONDS, self.beat)

    def has_stopped(self) -> bool:
        """In the supervisor, once a second: return whether too many beats are missing.

        Checks are counted, not seconds. A machine that was suspended as a whole, or a supervisor
        that was busy, has therefore not missed a beat.
        """
        count = self._counter[0]
        self._missed = self._missed + 1 if count == self._last_count else 0
        self._last_count = count
        return self._missed >= MAX_MISSED_BEATS
