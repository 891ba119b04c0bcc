"""python -m tests.overload: goodput at ten times the capacity.

The capacity is the number of responses per second to clients that wait for each. Then requests are
sent at ten times that rate without waiting (an open loop), on kept connections or on a new one for
each, while a client probes readiness. Client and server have a core each. Both measurements
alternate, and each goodput is relative to the capacity before and after it, because the speed of a
shared machine changes.
"""

import asyncio
import math
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from statistics import mean, median, quantiles

import uvloop

from tests.support.raw_requests import PROBE, post
from tests.support.rows import ROW
from tests.support.servers import serving

SECONDS = 5
WARM_UP = 1.5  # seconds before each measurement, until responses arrive at a steady rate
ROUNDS = 3
OVERLOAD_FACTOR = 10
CONNECTIONS = 64  # where the capacity is measured
MAX_CONNECTIONS = 800  # of the open loop; a request that would need another is not sent
PROBE_SECONDS = 0.05


def kinds() -> dict[str, tuple[str, object]]:
    rows = {"name": "features", "shape": [64, 8], "datatype": "FP64", "data": [*ROW.values()] * 64}
    return {
        "an explanation": ("/explain", ROW),
        "64 rows by V2": ("/v2/models/champion/infer", {"inputs": [rows]}),
        "one row": ("/predict", ROW),
    }


class Connection(asyncio.Protocol):
    """Sends one request at a time; its result is the status, or 0 without a response, and the seconds."""

    def __init__(self) -> None:
        self._received = b""
        self._started = 0.0
        self._response: asyncio.Future[tuple[int, float]] | None = None
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def exchange(self, request: bytes) -> "asyncio.Future[tuple[int, float]]":
        self._started = time.perf_counter()
        self._response = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._response

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self._received = b""
            status = int(head[9:12])
            if status == 503:
                assert b"retry-after: 1" in head.lower(), head
            self._finish(status)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        self._finish(0)

    def _finish(self, status: int) -> None:
        if self._response is not None and not self._response.done():
            self._response.set_result((status, time.perf_counter() - self._started))


@dataclass
class Outcome:
    """The statuses and times of the responses between two times."""

    since: float = 0.0
    until: float = math.inf
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: dict[int, list[float]] = field(default_factory=dict)

    @classmethod
    def after_warm_up(cls) -> "Outcome":
        since = time.monotonic() + WARM_UP
        return cls(since, since + SECONDS)

    def add(self, status: int, seconds: float) -> None:
        if self.since <= time.monotonic() <= self.until:
            self.statuses[status] += 1
            self.seconds.setdefault(status, []).append(seconds)

    def merge(self, other: "Outcome") -> None:
        """Add the responses of another outcome."""
        for status, seconds in other.seconds.items():
            for each in seconds:
                self.add(status, each)

    def median_and_p99(self, status: int) -> str:
        several = self.seconds.get(status, [])
        if len(several) < 2:
            return "-"
        return f"{median(several) * 1e3:.0f}, {quantiles(several, n=100)[98] * 1e3:.0f}"


async def connect(port: int) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(
        Connection, "127.0.0.1", port
    )
    return connection


async def capacity(port: int, request: bytes, *, keep: bool) -> float:
    """Measure the responses per second when each client waits for its response."""
    outcome = Outcome.after_warm_up()

    async def client() -> None:
        connection = await connect(port)
        while time.monotonic() < outcome.until:
            outcome.add(*await connection.exchange(request))
            if not keep:
                connection = await connect(port)
        connection.transport.close()

    clients = 4 if b"/explain" in request else CONNECTIONS
    await asyncio.gather(*(client() for _ in range(clients)))
    assert outcome.statuses[200] == outcome.statuses.total(), outcome.statuses
    return outcome.statuses[200] / SECONDS


async def overload(port: int, request: bytes, rate: float, *, keep: bool) -> Outcome:
    """Send requests at a rate, without waiting for responses."""
    outcome = Outcome.after_warm_up()
    free: list[Connection] = []
    opened: list[Connection] = []
    in_flight: set[asyncio.Task[None]] = set()

    async def send() -> None:
        connection = free.pop() if keep and free else None
        try:
            if connection is None or not connection.is_open:
                connection = await connect(port)
                opened.append(connection)
            outcome.add(*await connection.exchange(request))
        except OSError:
            outcome.add(0, 0.0)
            return
        if keep and connection.is_open:
            free.append(connection)
        else:
            connection.transport.close()

    started = time.monotonic()
    sent = 0
    while (now := time.monotonic()) < outcome.until:
        while sent < (now - started) * rate:
            sent += 1
            if len(in_flight) >= MAX_CONNECTIONS:
                continue
            task = asyncio.create_task(send())
            in_flight.add(task)
            task.add_done_callback(in_flight.discard)
        await asyncio.sleep(0.001)
    for task in in_flight:
        task.cancel()
    for connection in opened:
        connection.transport.close()
    return outcome


async def probe(port: int, outcome: Outcome) -> None:
    """Send a readiness probe every PROBE_SECONDS."""
    connection = await connect(port)
    while True:
        outcome.add(*await connection.exchange(PROBE))
        await asyncio.sleep(PROBE_SECONDS)


async def measure(port: int, name: str, path: str, content: object, *, keep: bool) -> None:
    request = post(path, content, close=not keep)
    capacities = [await capacity(port, request, keep=keep)]
    probes, all_outcomes, shares = Outcome(), Outcome(), []
    for _ in range(ROUNDS):
        probing = asyncio.create_task(probe(port, probes))
        outcome = await overload(port, request, OVERLOAD_FACTOR * capacities[-1], keep=keep)
        probing.cancel()
        await asyncio.sleep(2)
        capacities.append(await capacity(port, request, keep=keep))
        shares.append(outcome.statuses[200] / SECONDS / mean(capacities[-2:]))
        all_outcomes.merge(outcome)
    counts = all_outcomes.statuses
    sent = counts.total() / (ROUNDS * SECONDS)
    print(
        f"| {name}, {'kept' if keep else 'new'} | {median(capacities):,.0f} | {sent / median(capacities):.1f} | "
        f"{median(shares):.2f} ({min(shares):.2f}-{max(shares):.2f}) | "
        f"{counts[503] / (ROUNDS * SECONDS):,.0f} | {all_outcomes.median_and_p99(200)} | "
        f"{all_outcomes.median_and_p99(503)} | {counts.total() - counts[200] - counts[503]} | "
        f"{probes.median_and_p99(200)}, {probes.statuses.total() - probes.statuses[200]} |",
        flush=True,
    )


async def main() -> None:
    print(
        "| request, connection | responses/s | sent, times that | goodput, of that | 503/s | "
        "response ms (median, p99) | 503 ms | lost | probe ms, not 200 |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    with serving() as server:
        os.sched_setaffinity(server.process.pid, {0})
        os.sched_setaffinity(0, {1})
        for name, (path, content) in kinds().items():
            for keep in (True, False):
                await measure(server.port, name, path, content, keep=keep)


if __name__ == "__main__":
    uvloop.run(main())
