"""A line on standard output for each request, for people or for programs.

It tells neither a feature's value nor the query nor a key. Lines are kept in memory for a fraction
of a second, and written by a thread: whoever reads them too slowly holds up no request.
"""

import contextlib
import os
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator
from functools import lru_cache
from select import PIPE_BUF
from threading import Event, Thread
from time import gmtime, strftime, time
from typing import Any, NamedTuple

import orjson

from app.http.headers import Headers
from app.http.request_id import traceparent
from app.observability.stderr import log_to_stderr

FLUSH_SECONDS = 0.2
MAX_BUFFERED_LINES = 100_000  # some 40 MB; then the oldest are lost
LAST_SECONDS = 1  # for whoever reads, when the service ends
MAX_PATH_LENGTH = 100  # characters

UNPRINTABLE = re.compile(rb"[^!-~]")


class Line(NamedTuple):
    """What a line is made of."""

    client: str | None
    method: str  # empty where it is not known
    headers: Headers  # of the request
    request_id: bytes
    status: int
    seconds: float
    size: int  # of the body that was sent, in bytes
    route: str | None = None  # its template
    path: bytes = b""  # is told where no route has it
    model: str | None = None
    key: str | None = None  # the name of the API key

    def to_json(self) -> dict[str, Any]:
        """What is told, in order; None is not known."""
        return {
            "time": _time(),
            "client": self.client,
            "method": self.method or None,
            "route": self.route,
            "path": None if self.route else _shown(self.path) or None,
            "status": self.status,
            "duration_ms": round(self.seconds * 1000, 3),
            "bytes": self.size,
            "model": self.model,
            "key": self.key,
            "request_id": self.request_id.decode(),
            "traceparent": traceparent(self.headers),
        }


def as_json(line: dict[str, Any]) -> bytes:
    """A line for programs: one JSON object, null for what is not known."""
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def as_text(line: dict[str, Any]) -> bytes:
    """A line for people: the same in the same order, - for what is not known."""
    address = line["route"] or line["path"]
    shown = {**line, "route": address, "duration_ms": f"{line['duration_ms']}ms"}
    del shown["path"]
    return (
        " ".join("-" if value is None else str(value) for value in shown.values()).encode() + b"\n"
    )


FORMATS: dict[str, Callable[[dict[str, Any]], bytes]] = {"json": as_json, "text": as_text}


class AccessLog:
    """Takes lines from the requests of one process, and writes them while it is `writing`."""

    def __init__(self, form: str) -> None:
        self._format = FORMATS[form]
        self._lines: deque[bytes] = deque(maxlen=MAX_BUFFERED_LINES)
        self._end = Event()

    def add(self, line: Line) -> None:
        """Keep the line of a request that has just been answered."""
        self._lines.append(self._format(line.to_json()))

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Write until the end of the block, and then what is left; to be entered after a fork."""
        thread = Thread(target=self._write, args=[sys.stdout.fileno()], daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join(LAST_SECONDS)

    def _write(self, file: int) -> None:
        ended = has_told = False
        while not ended:
            ended = self._end.wait(FLUSH_SECONDS)
            try:
                while self._lines:
                    os.write(file, self._next_lines())
            except OSError as error:  # a full disk, a reader that has gone; the service stays
                if not has_told:
                    log_to_stderr(f"The access log must be writable, however: {error.strerror}")
                has_told = True

    def _next_lines(self) -> bytes:
        """As many as a pipe takes at once, so that those of two workers do not mix."""
        lines = [self._lines.popleft()]
        size = len(lines[0])
        while self._lines and size + len(self._lines[0]) <= PIPE_BUF:
            lines.append(self._lines.popleft())
            size += len(lines[-1])
        return b"".join(lines)


def _time() -> str:
    """Now, in UTC, as ISO 8601 has it."""
    now = time()
    return f"{_second(int(now))}.{int(now % 1 * 1000):03d}Z"


@lru_cache(maxsize=1)
def _second(since_1970: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(since_1970))


def _shown(path: bytes) -> str:
    """The beginning of an address, percent-encoded as it came."""
    return UNPRINTABLE.sub(b"?", path[:MAX_PATH_LENGTH]).decode()
