"""python -m tests.fuzz.streams --count 20000: many requests over a connection, cut anywhere.

Each is a case of the fuzzer, whose answer is checked as if it had come alone: whatever came before
it, whether it comes in pieces, and however many others wait behind it.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from http import HTTPStatus
from random import Random

import uvloop

from tests.fuzz.case import Case
from tests.fuzz.checker import Checker, ViolationError
from tests.fuzz.client import MOST_SECONDS, Answer, read_answer
from tests.fuzz.requests import make_case
from tests.fuzz.runner import CONNECTIONS, served
from tests.support.servers import Server

MOST_REQUESTS = 12
ANSWERED_BEFORE = ("csv", "ndjson", "arrow", "reload")  # all of the body has come
UNWANTED = 0.2  # of the requests
SIZES = (1, 1024, 4096, 65_536, 65_537, 100_000)  # of bodies; around what is parsed at a time
PAUSES = (0.0, 0.0, 0.0, 0.001, 0.01)  # seconds between two pieces


class BrokenStreamError(Exception):
    """A stream in which a promise is broken: its number, and how."""


def make_stream(seed: int, index: int) -> list[Case]:
    """The requests of a connection; the same for the same seed.

    Some have a body that nobody reads, to be refused at once.
    """
    rng = Random(f"{seed} {index}")
    first = rng.randrange(10**9)
    cases = [
        _unwanted(rng) if rng.random() < UNWANTED else make_case(seed, first + number)
        for number in range(rng.randint(2, MOST_REQUESTS))
    ]
    return [case for case in cases if case.framing != "broken"]


def _unwanted(rng: Random) -> Case:
    body, framing = b" " * rng.choice(SIZES), rng.choice(("length", "chunked"))
    headers = (("Content-Type", "text/xml"),)
    return Case("csv", "/predict/batch", headers, body, "Unwanted", (415,), framing)


async def exchange(port: int, cases: list[Case], rng: Random) -> list[Answer]:
    """The answers to all, or to those up to the first that closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sending = asyncio.create_task(_send_in_pieces(writer, cases, rng))
    answers: list[Answer] = []
    try:
        async with asyncio.timeout(MOST_SECONDS):
            while len(answers) < len(cases):
                answers.append(await read_answer(reader))
                if answers[-1].headers.get("connection") == "close":
                    break
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
        writer.close()
    return answers


async def _send_in_pieces(writer: asyncio.StreamWriter, cases: list[Case], rng: Random) -> None:
    sent = b"".join(case.to_bytes() for case in cases)
    cuts = sorted(rng.randrange(len(sent) + 1) for _ in range(rng.randrange(10)))
    with contextlib.suppress(ConnectionError):  # where an answer has closed it
        for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
            writer.write(sent[start:end])
            await writer.drain()
            await asyncio.sleep(rng.choice(PAUSES))


async def check_streams(server: Server, checker: Checker, seed: int, count: int) -> int:
    """Send so many streams; how many answers there were. Raises BrokenStreamError."""
    indices = iter(range(count))
    answered = 0

    async def check_some() -> None:
        nonlocal answered
        for index in indices:
            cases = make_stream(seed, index)
            try:
                answers = await exchange(server.port, cases, Random(index))
                for case, answer in zip(cases, answers, strict=False):
                    checker.check(case, answer)
                    _require_reason(case, answer)
            except (OSError, EOFError, ViolationError) as error:
                raise BrokenStreamError(f"stream {index} of seed {seed}: {error!r:.400}") from error
            answered += len(answers)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS):
            tasks.create_task(check_some())
    return answered


def _require_reason(case: Case, answer: Answer) -> None:
    """A body that is read to its end before it is answered leaves nothing to close for."""
    closes = answer.headers.get("connection") == "close"
    if answer.status == HTTPStatus.OK and case.kind not in ANSWERED_BEFORE and closes:
        raise ViolationError("an answer of 200 closes the connection")


def run(seed: int, count: int) -> int:
    """How many answers were checked; raises BrokenStreamError."""
    with served() as (server, checker):
        try:
            answered = uvloop.run(check_streams(server, checker, seed, count))
        except* BrokenStreamError as group:
            raise group.exceptions[0] from None
        assert server.stop() == 0, "the server must end well"
        said = server.remaining_lines()
        assert not said, f"the server must say nothing, however: {said}"
    return answered


def main() -> int:
    """Send as many streams as asked for; the exit status is 1 where one broke a promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.streams", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="how many connections")
    parser.add_argument("--seed", type=int, default=1, help="what they are drawn from")
    options = parser.parse_args()
    began = time.monotonic()
    try:
        answered = run(options.seed, options.count)
    except BrokenStreamError as error:
        print(error, file=sys.stderr)
        return 1
    seconds = time.monotonic() - began
    print(
        f"{options.count:,} connections, {answered:,} answers, seed {options.seed}, {seconds:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
