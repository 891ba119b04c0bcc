"""python -m tests.soak: check that a server does not grow over millions of predictions.

The count is of responses with status 200 from POST /predict. Three requests in a hundred are invalid.
Another client opens a connection for each request, and breaks every other request off.
"""

import argparse
import asyncio
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path

import uvloop

from tests.fuzz.client import read_response
from tests.support.rows import ROW
from tests.support.servers import Server, serving

CONNECTIONS, PIPELINE_LENGTH = 8, 32
MAX_GROWTH = 5 * 2**20  # bytes
PAGE_BYTES = 4096


def _request(body: str, path: str = "/predict", more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: soak\r\nContent-Type: application/json\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


ROW_BODY = json.dumps(ROW)
VALID = _request(ROW_BODY)
TO_CHAMPION = _request(ROW_BODY, "/predict?model=champion")
LAST_REQUEST = _request(ROW_BODY, more="Connection: close\r\n")
INVALID = _request(ROW_BODY.replace("8.3252", "NaN"))
STATUS_START = b"HTTP/1.1 "
MIXED = [VALID] * (PIPELINE_LENGTH - 2) + [TO_CHAMPION, INVALID]
PIPELINE = b"".join(MIXED)


async def read_statuses(reader: asyncio.StreamReader, count: int) -> list[int]:
    """Read the statuses of `count` responses.

    Checks only the length of the last body: a client that parses every one is slower than the server.
    """
    received, missing = b"", True
    while missing:
        piece = await reader.read(65_536)
        if not piece:
            raise EOFError
        received += piece
        head, _, body = received[received.rfind(STATUS_START) :].partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        missing = received.count(STATUS_START) < count or not length or len(body) < int(length[1])
    return [int(status) for status in re.findall(STATUS_START + rb"(\d+)", received)]


class Size:
    """The memory, open files and threads of a server process."""

    def __init__(self, server: Server) -> None:
        process = Path(f"/proc/{server.process.pid}")
        self.resident = int((process / "statm").read_text().split()[1]) * PAGE_BYTES
        self.files = len([*(process / "fd").iterdir()])
        self.threads = len([*(process / "task").iterdir()])

    def __str__(self) -> str:
        return f"{self.resident / 2**20:.1f} MiB, {self.files} files, {self.threads} threads"


async def soak(server: Server, count: int) -> Counter[int]:
    """Send requests until `count` get status 200; returns the number of responses by status."""
    counts: Counter[int] = Counter()

    async def send_pipelined() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        while counts[200] < count:
            writer.write(PIPELINE)
            counts.update(await read_statuses(reader, len(MIXED)))
        writer.close()
        await writer.wait_closed()

    async def open_and_close() -> None:
        while counts[200] < count:
            for request in (LAST_REQUEST, VALID[:-9]):  # one complete, one broken off
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(request)
                if request is LAST_REQUEST:
                    counts[(await read_response(reader)).status] += 1
                writer.close()
                await writer.wait_closed()
            await asyncio.sleep(0.01)

    await asyncio.gather(open_and_close(), *(send_pipelined() for _ in range(CONNECTIONS)))
    await asyncio.sleep(0.5)
    return counts


def main() -> int:
    """The exit status is 1 if the server grew, wrote to stderr, or sent another status."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000_000, help="number of predictions")
    count = parser.parse_args().count
    with serving("--default", "notebook") as server:
        uvloop.run(soak(server, max(count // 10, 20_000)))
        before, began = Size(server), time.monotonic()
        print(f"after the warm-up: {before}", flush=True)
        counts: Counter[int] = Counter()
        sizes = []
        for _ in range(10):
            counts += uvloop.run(soak(server, count // 10))
            sizes.append(Size(server))
            print(f"{counts[200]:>12,} predictions: {sizes[-1]}", flush=True)
        seconds = time.monotonic() - began
        is_clean = server.stop() == 0 and not server.remaining_lines()
    print(f"{counts[200] / seconds:,.0f} predictions per second; statuses {dict(counts)}")
    is_flat = max(size.resident for size in sizes) - before.resident <= MAX_GROWTH
    is_unchanged = (sizes[-1].files, sizes[-1].threads) == (before.files, before.threads)
    return 0 if is_flat and is_unchanged and is_clean and counts.keys() == {200, 422} else 1


if __name__ == "__main__":
    sys.exit(main())
