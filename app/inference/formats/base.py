"""Rows in and answers out at the same time, however many there are."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

import numpy as np

from app.inference.rows import RowError, Rows
from app.inference.scored import Scored
from models.csv_table import TableError
from models.features import FEATURE_NAMES

PIECE_BYTES = 128 * 1024  # at a time: a few milliseconds of parsing and writing


class Reader(Protocol):
    """Rows from a body, as its pieces come."""

    def feed(self, data: bytes) -> Iterator[Rows]:
        """The rows that are whole now."""

    def close(self) -> Iterator[Rows]:
        """What is left at the end."""


class Writer(Protocol):
    """Answers as the bytes of a media type."""

    warns: bool
    """Whether it tells warnings."""

    def start(self) -> bytes:
        """What comes before all answers."""

    def write(self, scored: Scored) -> bytes:
        """The answers to some rows."""

    def end(self) -> bytes:
        """What comes after all answers."""


async def read_parts(pieces: AsyncIterator[bytes], reader: Reader) -> AsyncIterator[Rows]:
    """The rows of a body, in parts; other tasks run between two of them.

    Raises TableError where the body cannot be read from its start; where it cannot be read any
    further, that is told in place of a last row.
    """
    started = False
    try:
        async for rows in _read_all(pieces, reader):
            started = True
            yield rows
    except TableError as error:
        if not started:
            raise
        yield Rows(
            np.full((1, len(FEATURE_NAMES)), np.nan), {0: RowError(as_sentence(error), "malformed")}
        )


def as_sentence(error: TableError) -> str:
    """What is wrong with a body, as answers have it."""
    reason = str(error)
    return f"{reason[0].upper()}{reason[1:]}."


async def _read_all(pieces: AsyncIterator[bytes], reader: Reader) -> AsyncIterator[Rows]:
    async for piece in pieces:
        for start in range(0, len(piece), PIECE_BYTES):
            for rows in reader.feed(piece[start : start + PIECE_BYTES]):
                yield rows
                await asyncio.sleep(0)
    for rows in reader.close():
        yield rows
        await asyncio.sleep(0)
