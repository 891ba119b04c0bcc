"""Rows in and answers out at the same time, however many there are."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

import numpy as np
from fastapi import Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from app.http.model_header import model_header
from app.inference.rows import RowError, Rows
from app.inference.scored import Scored, Scorer
from models.csv_table import TableError
from models.features import FEATURE_NAMES

PIECE_BYTES = 128 * 1024  # at a time: a few milliseconds of parsing and writing
WAITING_PARTS = 16  # of answers that the client does not read


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


class StreamedAnswers(Response):
    """Answers that are sent while the rows still come.

    Answers that the client does not read wait, up to a limit; beyond it, no more rows are taken.
    """

    def __init__(
        self,
        parts: AsyncIterator[Rows],
        scorer: Scorer,
        writer: Writer,
        *,
        media_type: str,
    ) -> None:
        super().__init__(media_type=media_type, headers=model_header(scorer.model))
        del self.headers["content-length"]
        self._parts, self._scorer, self._writer = parts, scorer, writer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; the parts receive the body."""
        waiting: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING_PARTS)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send(waiting, send))
                await self._score(waiting)
        except* ClientDisconnect:
            pass  # nobody is there to be answered

    async def _score(self, waiting: asyncio.Queue[bytes | None]) -> None:
        """Put the answers where they wait."""
        await waiting.put(self._writer.start())
        async for rows in self._parts:
            scored = await self._scorer.score(rows, warns=self._writer.warns)
            await waiting.put(self._writer.write(scored))
        await waiting.put(self._writer.end())
        await waiting.put(None)

    async def _send(self, waiting: asyncio.Queue[bytes | None], send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        while (piece := await waiting.get()) is not None:
            if piece:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})
