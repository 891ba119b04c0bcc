"""What the formats share: the interfaces of readers and writers, and streaming.

A batch passes through as chunks of rows, so that it needs little memory however large it is.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

import numpy as np

from app.inference.row_errors import RowError
from app.inference.rows import Rows
from app.inference.scored import Scored
from models.csv_table import TableError
from models.features import FEATURE_NAMES

READ_BYTES = 128 * 1024  # parsed at a time; takes a few milliseconds
VALIDATED_AT_ONCE = 64  # rows; to validate them one by one takes a few milliseconds
MAX_LINE_BYTES = 64 * 1024
OVERLONG = b"\x00"
"""Replaces a line over MAX_LINE_BYTES; a valid line of CSV or JSON has no such byte."""
OVERLONG_ERROR = RowError(
    f"The line must have at most {MAX_LINE_BYTES:,} bytes, got more.", "malformed"
)


class Reader(Protocol):
    """Parses a body or file incrementally."""

    def feed(self, data: bytes) -> Iterator[Rows]:
        """Return the rows that are complete with this data."""

    def close(self) -> Iterator[Rows]:
        """Return the rows that are left at the end."""


class Writer(Protocol):
    """Encodes predictions incrementally."""

    with_warnings: bool
    """Whether the format includes warnings."""

    def start(self) -> bytes:
        """Return the beginning of the output."""

    def write(self, scored: Scored) -> bytes:
        """Return the next part of the output."""

    def end(self) -> bytes:
        """Return the end of the output."""


async def read_rows(body: AsyncIterator[bytes], reader: Reader) -> AsyncIterator[Rows]:
    """Parse a body into chunks of rows; other tasks run between two chunks.

    Raises TableError if the body is malformed before the first row. Later, the error becomes a last
    row, because the response has begun.
    """
    has_begun = False
    try:
        async for rows in _read(body, reader):
            has_begun = True
            yield rows
    except TableError as error:
        if not has_begun:
            raise
        values = np.full((1, len(FEATURE_NAMES)), np.nan)
        yield Rows(values, {0: RowError(as_sentence(error), "malformed")})


def as_sentence(error: TableError) -> str:
    """Return the message of an error as a sentence, with a capital and a full stop."""
    message = str(error)
    return f"{message[0].upper()}{message[1:]}{'' if message.endswith(('.', '?')) else '.'}"


class LineBuffer:
    """Keeps an incomplete line until its end arrives, but at most MAX_LINE_BYTES of it."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> bytes:
        """Return all complete lines, with the line feed of the last."""
        head, line_feed, tail = data.rpartition(b"\n")
        if not line_feed:
            self._keep(tail)
            return b""
        lines = _replace_overlong(bytes(self._rest) + head) + line_feed
        self._rest.clear()
        self._keep(tail)
        return lines

    def close(self) -> bytes:
        """Return the last line if it has no line feed."""
        return _replace_overlong(bytes(self._rest))

    def _keep(self, data: bytes) -> None:
        self._rest += data[: MAX_LINE_BYTES + 1 - len(self._rest)]  # one more shows it is overlong


async def _read(body: AsyncIterator[bytes], reader: Reader) -> AsyncIterator[Rows]:
    async for data in body:
        for start in range(0, len(data), READ_BYTES):
            for rows in reader.feed(data[start : start + READ_BYTES]):
                yield rows
                await asyncio.sleep(0)
    for rows in reader.close():
        yield rows
        await asyncio.sleep(0)


def _replace_overlong(lines: bytes) -> bytes:
    if not _has_overlong(lines):
        return lines
    parts = lines.split(b"\n")
    return b"\n".join(OVERLONG if len(line) > MAX_LINE_BYTES else line for line in parts)


def _has_overlong(lines: bytes) -> bool:
    """Return whether a line is too long, in steps of many lines."""
    start = 0
    while len(lines) - start > MAX_LINE_BYTES:
        line_feed = lines.rfind(b"\n", start, start + MAX_LINE_BYTES + 1)
        if line_feed < 0:
            return True
        start = line_feed + 1
    return False
