"""Send cases to a server of its own, several at once, and check every answer."""

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
from tests.fuzz.client import Answer, Connection
from tests.fuzz.requests import TOKEN
from tests.support.servers import Server, serving

CONNECTIONS = 8
RECENT = 2 * CONNECTIONS  # cases that may have made the server say something
SHRINKING_TRIALS = 2_000
SERVED = ("--default", "notebook")

Counts = Counter[tuple[str, int]]
"""How often each kind of case got each status; 0 is a connection that was cut off."""


class BrokenPromiseError(Exception):
    """A case that breaks a promise, and how."""

    def __init__(self, case: Case, sentence: str) -> None:
        super().__init__(case, sentence)
        self.case, self.sentence = case, sentence


def run(cases: Iterable[Case], is_over: Callable[[], bool] = lambda: False) -> Counts:
    """Check the answers to all cases, or to those until it is over.

    Raises BrokenPromiseError with the smallest case that still breaks the promise.
    """
    with served() as (server, checker):
        try:
            counts = uvloop.run(_send_all(server, checker, iter(cases), is_over))
        except BrokenPromiseError as found:
            raise _shrink(found, checker) from None
        assert server.stop() == 0, "the server must end well"
    return counts


@contextmanager
def served() -> Iterator[tuple[Server, Checker]]:
    """A server of its own, which takes the token, and what knows its promises."""
    with serving(*SERVED, environment={"HOUSING_ADMIN_TOKEN": TOKEN}) as server:
        yield server, Checker(httpx.get(f"{server.url}/openapi.json").json())


async def _send_all(
    server: Server, checker: Checker, cases: Iterator[Case], is_over: Callable[[], bool]
) -> Counts:
    counts: Counts = Counter()
    recent: deque[Case] = deque(maxlen=RECENT)

    async def send_some() -> None:
        connection = Connection(server.port)
        for case in cases:
            recent.append(case)
            for status in await _send(connection, checker, case):
                counts[case.kind, status] += 1
            if is_over():
                break
        connection.close()

    try:
        async with asyncio.TaskGroup() as tasks:
            silence = tasks.create_task(_require_silence(server, recent))
            senders = [tasks.create_task(send_some()) for _ in range(CONNECTIONS)]
            await asyncio.gather(*senders)
            await asyncio.sleep(0.1)
            silence.cancel()
    except* BrokenPromiseError as group:
        raise group.exceptions[0] from None
    return counts


async def _send(connection: Connection, checker: Checker, case: Case) -> list[int]:
    """The statuses of a case's answers, which are checked."""
    answers: list[Answer] = []
    try:
        if case.framing == "broken":
            answers = await connection.exchange_all(case.to_bytes())
        else:
            answers = [await connection.exchange(case.to_bytes())]
        for answer in answers:
            checker.check(case, answer)
    except (OSError, EOFError) as error:
        if isinstance(error, ConnectionError) and len(case.body) > 65_536:
            return [0]  # refused while it was still being sent
        raise BrokenPromiseError(case, f"no answer: {error!r}") from error
    except ViolationError as error:
        raise BrokenPromiseError(case, f"{error}: {answer.head + answer.body!r}") from error
    except Exception as error:
        raise BrokenPromiseError(case, f"an unreadable answer, {error!r}: {answers!r}") from error
    return [answer.status for answer in answers]


async def _require_silence(server: Server, recent: deque[Case]) -> None:
    """The server says nothing on standard error, and does not end."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    descriptor = server.process.stderr.fileno()
    loop.add_reader(descriptor, told.set)
    try:
        await told.wait()
        await asyncio.sleep(0.1)
        text = os.read(descriptor, 65_536).decode()
    finally:
        loop.remove_reader(descriptor)
    for case in list(recent):
        try:
            await asyncio.to_thread(_try, case)
        except BrokenPromiseError as found:
            raise BrokenPromiseError(found.case, f"{found.sentence}\n{text}") from None
    raise BrokenPromiseError(recent[-1], f"one of the last {RECENT} made the server say: {text}")


def _try(case: Case) -> None:
    """Send one case to a server of its own; raises BrokenPromiseError."""
    with served() as (server, checker):

        async def send() -> None:
            await _send(Connection(server.port), checker, case)
            await asyncio.sleep(0.2)

        asyncio.run(send())
        if server.process.poll() is not None:
            raise BrokenPromiseError(case, "the server ended")
        os.set_blocking(server.process.stderr.fileno(), False)
        if said := os.read(server.process.stderr.fileno(), 65_536) if _has_said(server) else b"":
            raise BrokenPromiseError(case, f"the server said: {said.decode()}")


def _has_said(server: Server) -> bool:
    return bool(select.select([server.process.stderr], [], [], 0)[0])


def _shrink(found: BrokenPromiseError, checker: Checker) -> BrokenPromiseError:
    """Leave out what can be left out of the body, as long as the same promise is broken."""
    sentence = found.sentence.partition(":")[0]
    trials = 0
    with serving(*SERVED) as server:

        def breaks(case: Case) -> BrokenPromiseError | None:
            try:
                asyncio.run(_send(Connection(server.port), checker, case))
            except BrokenPromiseError as again:
                return again if again.sentence.startswith(sentence) else None
            return None

        length = len(found.case.body) // 2
        while length:
            start = 0
            while start < len(found.case.body) and trials < SHRINKING_TRIALS:
                body = found.case.body[:start] + found.case.body[start + length :]
                smaller = breaks(replace(found.case, body=body))
                trials += 1
                found = smaller or found
                start += 0 if smaller else length
            length //= 2
    return found
