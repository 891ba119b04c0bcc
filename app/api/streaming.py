"""A response that streams predictions while their rows still arrive."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from app.http.headers import MODEL_HEADER
from app.inference.formats.base import Writer
from app.inference.rows import Rows
from app.inference.scored import Scorer

MAX_QUEUED_CHUNKS = 16


class StreamingPredictions(Response):
    """Predicts rows and sends the predictions while later rows still arrive.

    Chunks that the client does not read are queued. When the queue is full, no more rows are read.
    """

    def __init__(
        self,
        parts: AsyncIterator[Rows],
        scorer: Scorer,
        writer: Writer,
        *,
        media_type: str,
    ) -> None:
        headers = {MODEL_HEADER: scorer.model.identity}
        super().__init__(media_type=media_type, headers=headers)
        del self.headers["content-length"]
        self._parts, self._scorer, self._writer = parts, scorer, writer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response; reading the parts receives the request's body."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_QUEUED_CHUNKS)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send(queue, send))
                await self._predict(queue)
        except* ClientDisconnect:
            pass  # nobody is left to respond to

    async def _predict(self, queue: asyncio.Queue[bytes | None]) -> None:
        await queue.put(self._writer.start())
        async for rows in self._parts:
            scored = await self._scorer.score(rows, with_warnings=self._writer.with_warnings)
            await queue.put(self._writer.write(scored))
        await queue.put(self._writer.end())
        await queue.put(None)

    async def _send(self, queue: asyncio.Queue[bytes | None], send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        while (chunk := await queue.get()) is not None:
            if chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})
