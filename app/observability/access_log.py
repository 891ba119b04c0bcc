"""The access log: one line on standard output for each request, as text or as JSON.

A line never contains a feature's value, the query, or an API key. Lines are buffered for a fraction
of a second and written by a thread, so a slow reader of the log does not delay requests.
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

from app.http.headers import Headers, traceparent
from app.observability.stderr import log_to_stderr

FLUSH_SECONDS = 0.2
MAX_BUFFERED_LINES = 100_000  # some 40 MB; beyond it, the oldest lines are dropped
FINAL_FLUSH_SECONDS = 1  # at the end of the service
MAX_PATH_LENGTH = 100  # characters

UNPRINTABLE = re.compile(rb"[^!-~]")


class Line(NamedTuple):
    """The contents of a line."""

    client: str | None
    method: str  # empty if unknown
    headers: Headers  # of the request
    request_id: bytes
    status: int
    seconds: float
    size: int  # of the response body, in bytes
    route: str | None = None  # its template
    path: bytes = b""  # logged if no route matched
    model: str | None = None
    key: str | None = None  # the name of the API key

    def to_json(self) -> dict[str, Any]:
        """Return the fields in their order; None if unknown."""
        return {
            "time": _time().decode(),
            "client": self.client,
            "method": self.method or None,
            "route": self.route,
            "path": None if self.route else _printable(self.path) or None,
            "status": self.status,
            "duration_ms": round(self.seconds * 1000, 3),
            "bytes": self.size,
            "model": self.model,
            "key": self.key,
            "request_id": self.request_id.decode(),
            "traceparent": traceparent(self.headers),
        }


JSON_LINE = (
    b'{"time":"%b",%b,"status":%d,"duration_ms":%.3f,"bytes":%d,%b,"request_id":"%b",'
    b'"traceparent":%b}\n'
)


def as_json(line: Line) -> bytes:
    """Return a line for programs: one JSON object, null if unknown.

    Equal to `to_json` encoded, but for trailing zeros of the duration, in half the time. A request
    ID and a traceparent have no character that JSON escapes.
    """
    trace = traceparent(line.headers)
    return JSON_LINE % (
        _time(),
        _request_json(line.client, line.method, line.route, b"" if line.route else line.path),
        line.status,
        line.seconds * 1000,
        line.size,
        _model_json(line.model, line.key),
        line.request_id,
        b"null" if trace is None else b'"%b"' % trace.encode(),
    )


# Most lines repeat the fields of earlier ones.
@lru_cache(maxsize=256)
def _request_json(client: str | None, method: str, route: str | None, path: bytes) -> bytes:
    fields = {"client": client, "method": method or None, "route": route}
    return orjson.dumps({**fields, "path": _printable(path) or None})[1:-1]


@lru_cache(maxsize=256)
def _model_json(model: str | None, key: str | None) -> bytes:
    return orjson.dumps({"model": model, "key": key})[1:-1]


def as_text(line: Line) -> bytes:
    """Return a line for people: the same fields in the same order, - if unknown."""
    fields = line.to_json()
    route = fields["route"] or fields["path"]
    shown = {**fields, "route": route, "duration_ms": f"{fields['duration_ms']}ms"}
    del shown["path"]
    return (
        " ".join("-" if value is None else str(value) for value in shown.values()).encode() + b"\n"
    )


FORMATS: dict[str, Callable[[Line], bytes]] = {"json": as_json, "text": as_text}


class AccessLog:
    """Buffers the lines of one process, and writes them inside `writing`."""

    def __init__(self, format_name: str) -> None:
        self._format = FORMATS[format_name]
        self._lines: deque[bytes] = deque(maxlen=MAX_BUFFERED_LINES)
        self._stop = Event()

    def add(self, line: Line) -> None:
        """Buffer the line of a request that has just ended."""
        self._lines.append(self._format(line))

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Write lines until the end of the block, then the rest; enter it after forking."""
        thread = Thread(target=self._write, args=[sys.stdout.fileno()], daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(FINAL_FLUSH_SECONDS)

    def _write(self, file: int) -> None:
        ended = reported = False
        while not ended:
            ended = self._stop.wait(FLUSH_SECONDS)
            try:
                while self._lines:
                    os.write(file, self._next_lines())
            except OSError as error:  # a full disk or a closed pipe does not stop the service
                if not reported:
                    log_to_stderr(f"Cannot write the access log: {error.strerror}.")
                reported = True

    def _next_lines(self) -> bytes:
        """Return as many lines as a pipe takes atomically: lines of two workers never mix."""
        lines = [self._lines.popleft()]
        size = len(lines[0])
        while self._lines and size + len(self._lines[0]) <= PIPE_BUF:
            lines.append(self._lines.popleft())
            size += len(lines[-1])
        return b"".join(lines)


def _time() -> bytes:
    """Return the current time in UTC, in ISO 8601."""
    return _iso_8601(int(time() * 1000))


@lru_cache(maxsize=1)
def _iso_8601(unix_milliseconds: int) -> bytes:
    seconds, milliseconds = divmod(unix_milliseconds, 1000)
    return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(seconds))}.{milliseconds:03d}Z".encode()


def _printable(path: bytes) -> str:
    """Return the start of a path, percent-encoded as received."""
    return UNPRINTABLE.sub(b"?", path[:MAX_PATH_LENGTH]).decode()
