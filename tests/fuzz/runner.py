"""Sends cases to a new server over several connections and checks every response."""

import asyncio
import os
import select
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import uvloop

from tests.fuzz.case import Case
from tests.fuzz.checker import Checker, ViolationError
from tests.fuzz.client import Connection, Response
from tests.fuzz.requests import TOKEN
from tests.support.servers import Server, serving

CONNECTIONS = 8
RECENT = 2 * CONNECTIONS  # cases that may have caused output on standard error
MAX_SHRINK_TRIALS = 2_000
SERVE_OPTIONS = ("--default", "notebook")

Counts = Counter[tuple[str, int]]
"""Responses by kind of case and status; status 0 is a closed connection."""


class FailedCaseError(Exception):
    """A case whose response breaks a rule."""

    def __init__(self, case: Case, message: str) -> None:
        super().__init__(case, message)
        self.case, self.message = case, message


def run(cases: Iterable[Case], should_stop: Callable[[], bool] = lambda: False) -> Counts:
    """Run the cases until `should_stop` returns true.

    Raises FailedCaseError with the smallest case found that fails in the same way.
    """
    with fuzz_server() as (server, checker):
        try:
            counts = uvloop.run(_send_all(server, checker, iter(cases), should_stop))
        except FailedCaseError as failure:
            raise _shrink(failure, checker) from None
        assert server.stop() == 0, "the server must exit with status 0"
    return counts


@contextmanager
def fuzz_server() -> Iterator[tuple[Server, Checker]]:
    """Start a server that accepts the admin token, with a checker for it."""
    with serving(*SERVE_OPTIONS, environment={"HOUSING_ADMIN_TOKEN": TOKEN}) as server:
        yield server, Checker(httpx.get(f"{server.url}/openapi.json").json())


async def _send_all(
    server: Server, checker: Checker, cases: Iterator[Case], should_stop: Callable[[], bool]
) -> Counts:
    counts: Counts = Counter()
    recent: deque[Case] = deque(maxlen=RECENT)

    async def send_some() -> None:
        connection = Connection(server.port)
        for case in cases:
            recent.append(case)
            for status in await _send(connection, checker, case):
                counts[case.kind, status] += 1
            if should_stop():
                break
        connection.close()

    try:
        async with asyncio.TaskGroup() as tasks:
            watcher = tasks.create_task(_watch_stderr(server, recent))
            senders = [tasks.create_task(send_some()) for _ in range(CONNECTIONS)]
            await asyncio.gather(*senders)
            await asyncio.sleep(0.1)
            watcher.cancel()
    except* FailedCaseError as group:
        raise group.exceptions[0] from None
    return counts


async def _send(connection: Connection, checker: Checker, case: Case) -> list[int]:
    """Send a case, check its responses and return their statuses."""
    responses: list[Response] = []
    try:
        if case.framing == "broken":
            responses = await connection.exchange_all(case.to_bytes())
        else:
            responses = [await connection.exchange(case.to_bytes())]
        for response in responses:
            checker.check(case, response)
    except (OSError, EOFError) as error:
        if isinstance(error, ConnectionError) and len(case.body) > 65_536:
            return [0]  # the server rejected the body before it was sent completely
        raise FailedCaseError(case, f"no response: {error!r}") from error
    except ViolationError as error:
        raise FailedCaseError(case, f"{error}: {response.head + response.body!r}") from error
    except Exception as error:
        raise FailedCaseError(case, f"an invalid response, {error!r}: {responses!r}") from error
    return [response.status for response in responses]


async def _watch_stderr(server: Server, recent: deque[Case]) -> None:
    """Raise FailedCaseError when the server exits or writes to standard error."""
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    descriptor = server.process.stderr.fileno()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
        await asyncio.sleep(0.1)
        text = os.read(descriptor, 65_536).decode()
    finally:
        loop.remove_reader(descriptor)
    for case in list(recent):
        try:
            await asyncio.to_thread(_run_alone, case)
        except FailedCaseError as failure:
            raise FailedCaseError(failure.case, f"{failure.message}\n{text}") from None
    raise FailedCaseError(
        recent[-1], f"after one of the last {RECENT} cases the server wrote: {text}"
    )


def _run_alone(case: Case) -> None:
    """Send one case to a new server. Raises FailedCaseError."""
    with fuzz_server() as (server, checker):

        async def send() -> None:
            await _send(Connection(server.port), checker, case)
            await asyncio.sleep(0.2)

        asyncio.run(send())
        if server.process.poll() is not None:
            raise FailedCaseError(case, "the server exited")
        os.set_blocking(server.process.stderr.fileno(), False)
        output = os.read(server.process.stderr.fileno(), 65_536) if _has_output(server) else b""
        if output:
            raise FailedCaseError(case, f"the server wrote: {output.decode()}")


def _has_output(server: Server) -> bool:
    return bool(select.select([server.process.stderr], [], [], 0)[0])


def _shrink(failure: FailedCaseError, checker: Checker) -> FailedCaseError:
    """Remove parts of the body while the case still fails in the same way."""
    reason = failure.message.partition(":")[0]
    trials = 0
    with serving(*SERVE_OPTIONS) as server:

        def try_case(case: Case) -> FailedCaseError | None:
            try:
                asyncio.run(_send(Connection(server.port), checker, case))
            except FailedCaseError as error:
                return error if error.message.startswith(reason) else None
            return None

        length = len(failure.case.body) // 2
        while length:
            start = 0
            while start < len(failure.case.body) and trials < MAX_SHRINK_TRIALS:
                body = failure.case.body[:start] + failure.case.body[start + length :]
                smaller = try_case(replace(failure.case, body=body))
                trials += 1
                failure = smaller or failure
                start += 0 if smaller else length
            length //= 2
    return failure
