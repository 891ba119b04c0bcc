"""Shed load: answer 503 at once rather than let a request wait too long.

Requests that arrive in the same event-loop iteration are answered one after another. Once they
have taken too much CPU time, the rest of the iteration's requests are shed, which costs a fraction
of a response. So no request waits for long under any load, and the process keeps answering as many
as it can.
"""

import asyncio
from time import perf_counter, thread_time

from app.http.headers import Headers, request_id
from app.http.problems import is_v2
from app.inference.scheduler import is_saturated
from app.observability.access_log import AccessLog, Line
from app.observability.metrics import count_request
from app.observability.middleware import UNMATCHED
from app.server.response_bytes import UNAVAILABLE, overloaded, response_bytes

MAX_ITERATION_SECONDS = 0.2
MIN_REQUESTS = 32  # in an iteration that took too long; one large request alone may take long


class LoadShedder:
    """The CPU time and the number of requests of the current event-loop iteration.

    An iteration begins with the callbacks that the previous one scheduled, and ends with the
    requests that have arrived meanwhile. CPU time counts, not wall time: requests are not shed
    because the machine was suspended or busy with other processes.
    """

    def __init__(self) -> None:
        self._is_measuring = False
        self._started = 0.0  # by perf_counter
        self._cpu_started = 0.0  # by thread_time, which is slower to read
        self._requests = self._previous_requests = 0  # in this iteration, and in the one before
        self._batches = 0

    def should_shed(self, *, is_batch: bool) -> bool:
        """Return whether a request that has just arrived should be answered with 503.

        Routes reject batches too, when they read one; it is cheaper not to read it.
        """
        return self.is_overdue() or (is_batch and is_saturated(self._batches))

    def is_overdue(self) -> bool:
        """Return whether this iteration has already taken too long."""
        if not self._is_measuring:
            self._begin()
            return False
        return (
            perf_counter() - self._started > MAX_ITERATION_SECONDS
            and self._requests + self._previous_requests >= MIN_REQUESTS
            and thread_time() - self._cpu_started > MAX_ITERATION_SECONDS
        )

    def admit(self, *, is_batch: bool = False) -> None:
        """Count a request that is answered in this iteration."""
        if not self._is_measuring:
            self._begin()
        self._requests += 1
        self._batches += is_batch

    def _begin(self) -> None:
        self._is_measuring = True
        self._started, self._cpu_started = perf_counter(), thread_time()
        self._requests, self._previous_requests = 0, self._requests
        self._batches = 0
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        """Go on measuring for as long as each iteration admits requests."""
        if self._requests:
            self._begin()
        else:
            self._is_measuring = False


def shed_response(
    target: bytes,
    headers: Headers,
    client: str | None,
    seconds: float,
    server_headers: Headers,
    log: AccessLog | None,
) -> bytes:
    """Return the 503 to a POST request that never reaches the app, counted and logged."""
    path, name = target.partition(b"?")[0], request_id(headers)
    count_request("POST", UNMATCHED, 503, seconds)
    block, content = overloaded(v2=is_v2(path.decode()))
    if log is not None:
        log.add(Line(client, "POST", headers, name, 503, seconds, len(content), path=path))
    return response_bytes(UNAVAILABLE.to_bytes(server_headers), block, name, content)
