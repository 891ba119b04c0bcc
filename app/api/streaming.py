"""Predictions that are sent while their rows still arrive, however many there are."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from app.http.model_header import model_header
from app.inference.formats.base import Writer
from app.inference.rows import Rows
from app.inference.scored import Scorer

WAITING_PARTS = 16  # of answers that the client does not read


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
        super().__init__(media_type=media_type, headers=model_header(scorer.model.identity))
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
            scored = await self._scorer.score(rows, with_warnings=self._writer.with_warnings)
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
