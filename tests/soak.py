"""python -m tests.soak: millions of predictions, and a server that is no larger afterwards.

Counted are the rows that POST /predict answered with 200. With every hundred of them come three
refused requests, and now and then a connection of its own, closed or left in the middle.
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

CONNECTIONS, PIPELINED = 8, 32
MOST_GROWTH = 5 * 2**20  # bytes
PAGE_BYTES = 4096


def _request(body: str, path: str = "/predict", more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: soak\r\nContent-Type: application/json\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


ROW_BODY = json.dumps(ROW)
ANSWERED = _request(ROW_BODY)
BY_CHAMPION = _request(ROW_BODY, "/predict?model=champion")
LAST = _request(ROW_BODY, more="Connection: close\r\n")
REFUSED = _request(ROW_BODY.replace("8.3252", "NaN"))
START = b"HTTP/1.1 "
MIXED = [ANSWERED] * (PIPELINED - 2) + [BY_CHAMPION, REFUSED]
ALL_MIXED = b"".join(MIXED)


async def read_statuses(reader: asyncio.StreamReader, count: int) -> list[int]:
    """Those of so many answers, of whose bodies only the last one's length is looked at.

    A client that parsed each would be slower than the server.
    """
    received, missing = b"", True
    while missing:
        piece = await reader.read(65_536)
        if not piece:
            raise EOFError
        received += piece
        head, _, body = received[received.rfind(START) :].partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        missing = received.count(START) < count or not length or len(body) < int(length[1])
    return [int(status) for status in re.findall(START + rb"(\d+)", received)]


class Size:
    """What a server process holds."""

    def __init__(self, server: Server) -> None:
        process = Path(f"/proc/{server.process.pid}")
        self.resident = int((process / "statm").read_text().split()[1]) * PAGE_BYTES
        self.files = len([*(process / "fd").iterdir()])
        self.threads = len([*(process / "task").iterdir()])

    def __str__(self) -> str:
        return f"{self.resident / 2**20:.1f} MiB, {self.files} files, {self.threads} threads"


async def soak(server: Server, count: int) -> Counter[int]:
    """The statuses of the answers, of which so many are 200."""
    counts: Counter[int] = Counter()

    async def keep_asking() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        while counts[200] < count:
            writer.write(ALL_MIXED)
            counts.update(await read_statuses(reader, len(MIXED)))
        writer.close()
        await writer.wait_closed()

    async def come_and_go() -> None:
        while counts[200] < count:
            for request in (LAST, ANSWERED[:-9]):  # one is asked in full, one breaks off
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(request)
                if request is LAST:
                    counts[(await read_response(reader)).status] += 1
                writer.close()
                await writer.wait_closed()
            await asyncio.sleep(0.01)

    await asyncio.gather(come_and_go(), *(keep_asking() for _ in range(CONNECTIONS)))
    await asyncio.sleep(0.5)
    return counts


def main() -> int:
    """The exit status is 1 where the server grew, lost something, or answered otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000_000, help="how many predictions")
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
        silent = server.stop() == 0 and not server.remaining_lines()
    print(f"{counts[200] / seconds:,.0f} predictions a second; statuses {dict(counts)}")
    flat = max(size.resident for size in sizes) - before.resident <= MOST_GROWTH
    kept = (sizes[-1].files, sizes[-1].threads) == (before.files, before.threads)
    return 0 if flat and kept and silent and counts.keys() == {200, 422} else 1


if __name__ == "__main__":
    sys.exit(main())
