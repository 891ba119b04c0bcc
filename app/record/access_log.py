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
from dataclasses import dataclass
from functools import lru_cache
from select import PIPE_BUF
from threading import Event, Thread
from time import gmtime, strftime, time
from typing import Any

from pydantic_core import to_json
from starlette.types import Scope

from app.model_header import MODEL_HEADER
from app.record.request_id import traceparent
from app.response_headers import Headers

SECONDS_KEPT = 0.2
MOST_LINES_KEPT = 100_000  # some 40 MB; then the oldest are lost
LAST_SECONDS = 1  # for whoever reads, when the service ends
LONGEST_PATH = 100  # characters

UNPRINTABLE = re.compile(rb"[^!-~]")
model_header = MODEL_HEADER.lower().encode()


@dataclass(slots=True)
class Answered:
    """What is remembered of an answer while it is sent."""

    status: int
    headers: Headers | None = None
    bytes: int = 0  # of the body


def as_json(line: dict[str, Any]) -> bytes:
    """A line for programs: one JSON object, null for what is not known."""
    return to_json(line) + b"\n"


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
        self._lines: deque[bytes] = deque(maxlen=MOST_LINES_KEPT)
        self._end = Event()

    def add(self, scope: Scope, route: str | None, answered: Answered, seconds: float) -> None:
        """Keep the line of a request that was answered after so many seconds."""
        state, client = scope["state"], scope.get("client")
        line = {
            "time": _time(),
            "client": client and client[0],
            "method": scope["method"],
            "route": route,
            "path": None if route else _path(scope),
            "status": answered.status,
            "duration_ms": round(seconds * 1000, 3),
            "bytes": answered.bytes,
            "model": _model(answered.headers or []),
            "key": state.get("key_name"),
            "request_id": state["request_id"].decode(),
            "traceparent": traceparent(scope),
        }
        self._lines.append(self._format(line))

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
        ended = False
        while not ended:
            ended = self._end.wait(SECONDS_KEPT)
            with contextlib.suppress(OSError):  # whoever reads has gone, and the service stays
                while self._lines:
                    os.write(file, self._next_lines())

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


def _path(scope: Scope) -> str:
    """The beginning of an address that no route has, percent-encoded as it came."""
    raw = scope.get("raw_path") or scope["path"].encode()
    return UNPRINTABLE.sub(b"?", raw[:LONGEST_PATH]).decode()


def _model(headers: Headers) -> str | None:
    for name, value in headers:
        if name == model_header:
            return value.decode()
    return None
