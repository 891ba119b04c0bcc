"""When to turn a request away: rather at once than after it has waited in vain.

Requests that come together are answered one after the other. When those before it have taken too
long already, one is refused, which takes a fraction of an answer's time; so whatever comes, nobody
waits for long, and the process goes on answering as many as it can.
"""

import asyncio
from time import perf_counter, thread_time

TURN_SECONDS = 0.2


class Turn:
    """How long it has taken since requests last had their turn.

    A turn of the event loop goes from what it has to go on with to what has come meanwhile. What
    counts is the time that the requests took from the processor: a machine that was held up has
    nobody to refuse for it.
    """

    def __init__(self) -> None:
        self._began: float | None = None
        self._began_at = 0.0  # of this thread's own time, which is slower to ask for
        self._is_asked = False

    def is_over(self) -> bool:
        """Whether a request that has come now is too late for this turn."""
        self._is_asked = True
        if self._began is None:
            self._begin()
            return False
        if perf_counter() - self._began <= TURN_SECONDS:
            return False
        return thread_time() - self._began_at > TURN_SECONDS

    def _begin(self) -> None:
        self._began, self._began_at = perf_counter(), thread_time()
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        """Begin the next one where requests have come in this one."""
        if self._is_asked:
            self._is_asked = False
            self._begin()
        else:
            self._began = None
