"""python -m tests.fuzz.streams --count 20000: pipelined requests, sent in arbitrary pieces.

Each request is a case of the fuzzer. The checks of its response are the same as for a request
that is sent alone.
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
from tests.fuzz.client import TIMEOUT_SECONDS, Response, read_response
from tests.fuzz.requests import make_case
from tests.fuzz.runner import CONNECTIONS, fuzz_server
from tests.support.servers import Server

MAX_REQUESTS = 12
STREAMING_KINDS = ("csv", "ndjson", "arrow", "reload")  # may respond before the body has ended
UNSUPPORTED_SHARE = 0.2  # of the requests
BODY_SIZES = (1, 1024, 4096, 65_536, 65_537, 100_000)  # the server parses up to 64 KiB at once
PAUSES = (0.0, 0.0, 0.0, 0.001, 0.01)  # seconds between pieces


class FailedStreamError(Exception):
    """A stream with a response that breaks a rule."""


def make_stream(seed: int, index: int) -> list[Case]:
    """The requests of one connection; the same for the same seed and index.

    Some have an unsupported media type, which the service rejects without reading the body.
    """
    rng = Random(f"{seed} {index}")
    first = rng.randrange(10**9)
    cases = [
        _unsupported(rng) if rng.random() < UNSUPPORTED_SHARE else make_case(seed, first + number)
        for number in range(rng.randint(2, MAX_REQUESTS))
    ]
    return [case for case in cases if case.framing != "broken"]


def _unsupported(rng: Random) -> Case:
    body, framing = b" " * rng.choice(BODY_SIZES), rng.choice(("length", "chunked"))
    headers = (("Content-Type", "text/xml"),)
    return Case("csv", "/predict/batch", headers, body, "Unwanted", (415,), framing)


async def exchange(port: int, cases: list[Case], rng: Random) -> list[Response]:
    """Send the cases; return the responses up to the first that closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sending = asyncio.create_task(_send_in_pieces(writer, cases, rng))
    responses: list[Response] = []
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while len(responses) < len(cases):
                responses.append(await read_response(reader))
                if responses[-1].headers.get("connection") == "close":
                    break
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
        writer.close()
    return responses


async def _send_in_pieces(writer: asyncio.StreamWriter, cases: list[Case], rng: Random) -> None:
    data = b"".join(case.to_bytes() for case in cases)
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(10)))
    with contextlib.suppress(ConnectionError):  # after a response that closes the connection
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            writer.write(data[start:end])
            await writer.drain()
            await asyncio.sleep(rng.choice(PAUSES))


async def check_streams(server: Server, checker: Checker, seed: int, count: int) -> int:
    """Send the streams and return the number of responses. Raises FailedStreamError."""
    indices = iter(range(count))
    response_count = 0

    async def check_some() -> None:
        nonlocal response_count
        for index in indices:
            cases = make_stream(seed, index)
            try:
                responses = await exchange(server.port, cases, Random(index))
                for case, response in zip(cases, responses, strict=False):
                    checker.check(case, response)
                    _require_open_connection(case, response)
            except (OSError, EOFError, ViolationError) as error:
                raise FailedStreamError(f"stream {index} of seed {seed}: {error!r:.400}") from error
            response_count += len(responses)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS):
            tasks.create_task(check_some())
    return response_count


def _require_open_connection(case: Case, response: Response) -> None:
    """A 200 that follows the whole request body must keep the connection open."""
    closes = response.headers.get("connection") == "close"
    if response.status == HTTPStatus.OK and case.kind not in STREAMING_KINDS and closes:
        raise ViolationError("a response with status 200 closes the connection")


def run(seed: int, count: int) -> int:
    """Check the streams and return the number of responses. Raises FailedStreamError."""
    with fuzz_server() as (server, checker):
        try:
            response_count = uvloop.run(check_streams(server, checker, seed, count))
        except* FailedStreamError as group:
            raise group.exceptions[0] from None
        assert server.stop() == 0, "the server must exit with status 0"
        output = server.remaining_lines()
        assert not output, f"the server must not write to standard error, got: {output}"
    return response_count


def main() -> int:
    """Run the streams. The exit status is 1 if one fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.streams", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="number of connections")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random generator")
    options = parser.parse_args()
    start = time.monotonic()
    try:
        response_count = run(options.seed, options.count)
    except FailedStreamError as error:
        print(error, file=sys.stderr)
        return 1
    seconds = time.monotonic() - start
    print(
        f"{options.count:,} connections, {response_count:,} responses, seed {options.seed}, {seconds:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
