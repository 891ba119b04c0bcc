"""When to turn a request away: rather at once than after it has waited in vain.

Requests that come together are answered one after the other. When those before it have taken too
long already, one is refused, which takes a fraction of an answer's time; so whatever comes, nobody
waits for long, and the process goes on answering as many as it can.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter, thread_time

MAX_ITERATION_SECONDS = 0.2
MIN_REQUESTS = 32  # requests to a turn that took too long; a single large one may take long


class LoadShedder:
    """How long it has taken since requests last had their turn.

    A turn of the event loop goes from what it has to go on with, which the requests of the turn
    before have left it, to what has come meanwhile. What counts is the time that they took from the
    processor: a machine that was held up has nobody to refuse for it.

    At each one's end a function is called.
    """

    def __init__(self, at_end: Callable[[], None] = lambda: None) -> None:
        self._at_end = at_end
        self._is_on = False
        self._began = 0.0
        self._began_at = 0.0  # of this thread's own time, which is slower to ask for
        self._taken_before = 0
        self.taken = self.batches = 0  # requests, and those of them that are batches

    def is_over(self) -> bool:
        """Whether a request that has come now is too late for this turn."""
        if self._is_on:
            return self._took_too_long()
        self._begin()
        return False

    def take(self) -> None:
        """Count a request that has its turn."""
        if not self._is_on:
            self._begin()
        self.taken += 1

    def _took_too_long(self) -> bool:
        return (
            perf_counter() - self._began > MAX_ITERATION_SECONDS
            and self.taken + self._taken_before >= MIN_REQUESTS
            and thread_time() - self._began_at > MAX_ITERATION_SECONDS
        )

    def _begin(self) -> None:
        self._is_on = True
        self._began, self._began_at = perf_counter(), thread_time()
        self.taken, self._taken_before = 0, self.taken
        self.batches = 0
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        """Begin the next one where requests have been taken in this one."""
        if self.taken:
            self._begin()
        else:
            self._is_on = False
        self._at_end()
