"""Detect a worker whose event loop no longer runs, because the process is stopped or stuck."""

import asyncio
import mmap

BEAT_SECONDS = CHECK_SECONDS = 1.0
MAX_MISSED_BEATS = 10  # in a row; no callback of the event loop should take that long


class Heartbeat:
    """A counter in memory that a worker shares with its supervisor; made before the fork.

    The worker's event loop increments it. Writing memory never blocks, unlike a message to a
    supervisor that is busy.
    """

    def __init__(self) -> None:
        self._counter = mmap.mmap(-1, 1)  # anonymous, and shared across a fork
        self._last_count = self._missed = 0  # used by the supervisor only

    def beat(self) -> None:
        """In the worker: beat now, and once a second in the running event loop."""
        self._counter[0] = (self._counter[0] + 1) % 256
        asyncio.get_running_loop().call_later(BEAT_SECONDS, self.beat)

    def has_stopped(self) -> bool:
        """In the supervisor, once a second: return whether too many beats are missing.

        Checks are counted, not seconds: a worker misses no beat while the whole machine is
        suspended or the supervisor is busy.
        """
        count = self._counter[0]
        self._missed = self._missed + 1 if count == self._last_count else 0
        self._last_count = count
        return self._missed >= MAX_MISSED_BEATS
