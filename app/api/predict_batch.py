"""POST /predict/batch: many rows in, a prediction for each out, in the same media type."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from app.api.dependencies import UNKNOWN_MODEL, BatchChosenDep
from app.http.bodies import read_body, require_media_type
from app.http.headers import MODEL_HEADER, MODEL_HEADER_DOCS
from app.http.media_types import ARROW, CSV, JSON, NDJSON
from app.http.openapi_errors import OVERLOADED, ErrorDocs, error_docs
from app.inference.formats.base import Reader, Writer, as_sentence, read_rows
from app.inference.formats.csv import CSVReader, CSVWriter
from app.inference.formats.json import (
    MAX_BYTES,
    TOO_LARGE,
    ArrayWriter,
    ColumnsWriter,
    TooManyRowsError,
    read_json,
)
from app.inference.formats.ndjson import NDJSONReader, NDJSONWriter
from app.inference.rows import Rows
from app.inference.scheduler import reject_if_saturated
from app.inference.scored import Scorer
from app.observability.predictions import CountingScorer
from models.csv_table import TableError

MEDIA_TYPES = (JSON, CSV, NDJSON, ARROW)
MAX_QUEUED_CHUNKS = 16  # of a response whose client does not read

router = APIRouter(tags=["predictions"])


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _array_of(*names: str) -> dict[str, Any]:
    items = [_ref(name) for name in names]
    return {"type": "array", "items": items[0] if len(items) == 1 else {"anyOf": items}}


def _content(json_schema: dict[str, Any]) -> dict[str, Any]:
    """Return OpenAPI's `content` of a body in each media type; only JSON has a detailed schema."""
    text, binary = {"type": "string"}, {"type": "string", "format": "binary"}
    schemas = (json_schema, text, text, binary)
    return {
        media_type: {"schema": schema}
        for media_type, schema in zip(MEDIA_TYPES, schemas, strict=True)
    }


REQUEST_BODY = {
    "required": True,
    "content": _content({"anyOf": [_array_of("HouseFeatures"), _ref("HouseColumns")]}),
}
RESPONSES: ErrorDocs = {
    200: {
        **MODEL_HEADER_DOCS,
        "description": "A prediction for each row, in the media type of the request.",
        "content": _content(
            {"anyOf": [_array_of("Prediction", "RefusedRow"), _ref("PredictedColumns")]}
        ),
    },
    **UNKNOWN_MODEL,
    **error_docs(413, "A JSON batch is too large; other media types have no limit.", TOO_LARGE),
    **error_docs(
        415,
        "The body has another media type, or it is compressed.",
        f"The Content-Type must be {' or '.join(MEDIA_TYPES)}, got none.",
    ),
    **error_docs(
        422,
        "The body as a whole or the query is malformed.",
        "The body is empty; expected a header line with MedInc, HouseAge, ...",
    ),
    **error_docs(*OVERLOADED),
}


@router.post(
    "/predict/batch",
    summary="Predict the values of many rows",
    responses=RESPONSES,
    openapi_extra={"requestBody": REQUEST_BODY},
    response_class=Response,
    response_model=None,
)
async def predict_batch(request: Request, chosen: BatchChosenDep) -> Response:
    """Predict the median house value of each row, in 100,000 USD of 1990, row for row.

    A rejected row has an error in its place; the other rows are still predicted.

    - `application/json`: an array of rows returns an array of predictions, with
      `{"error": "..."}` for a rejected row. An object of eight equally long arrays returns arrays,
      with null for a rejected row and its reason in `errors`. At most 10,000 rows.
    - `text/csv`, with a header: returns lines of `prediction,lower,upper`, empty for a rejected
      row; `?errors=true` adds the column `error`. Each line is one row.
    - `application/x-ndjson`: returns one line per row, `{"error": "..."}` for a rejected one.
    - `application/vnd.apache.arrow.stream`: returns columns `prediction`, `lower`, `upper` and
      `error`.

    All but JSON are streamed, without a limit: read the response while you send the request.
    """
    media_type = require_media_type(request.headers, *MEDIA_TYPES)
    scorer = CountingScorer(chosen.model, chosen.level)
    if media_type == JSON:
        return await _predict_json(request, scorer)
    reader, writer = _reader_and_writer(media_type, scorer, errors=chosen.errors)
    try:
        parts = await _with_first_part_read(read_rows(request.stream(), reader))
    except TableError as error:
        raise HTTPException(422, as_sentence(error)) from error
    reject_if_saturated()
    return StreamingPredictions(parts, scorer, writer, media_type=media_type)


async def _predict_json(request: Request, scorer: Scorer) -> Response:
    body = await read_body(request, MAX_BYTES, TOO_LARGE)
    try:
        batch = read_json(body)
    except TooManyRowsError as error:
        raise HTTPException(413, TOO_LARGE) from error
    except TableError as error:
        raise HTTPException(422, as_sentence(error)) from error
    reject_if_saturated()
    writer = ColumnsWriter(scorer) if batch.as_columns else ArrayWriter(scorer)
    scored = [await scorer.score(rows, with_warnings=writer.with_warnings) for rows in batch.rows]
    headers = {MODEL_HEADER: scorer.model.identity}
    return Response(writer.write(scored), headers=headers, media_type=JSON)


def _reader_and_writer(media_type: str, scorer: Scorer, *, errors: bool) -> tuple[Reader, Writer]:
    if media_type == CSV:
        return CSVReader("the body"), CSVWriter(errors=errors)
    if media_type == NDJSON:
        return NDJSONReader(), NDJSONWriter(scorer)
    try:
        from app.inference.formats.arrow import ArrowReader, ArrowWriter  # noqa: PLC0415  # an extra
    except ModuleNotFoundError as error:
        raise HTTPException(
            415,
            f"{ARROW} requires the extra `arrow`, which this service lacks. "
            "Send another media type.",
        ) from error
    return ArrowReader(), ArrowWriter(scorer)


async def _with_first_part_read(parts: AsyncIterator[Rows]) -> AsyncIterator[Rows]:
    """Return the same parts; reads the first part now, so that a bad header becomes a 422."""
    first = await anext(parts, None)

    async def all_parts() -> AsyncIterator[Rows]:
        if first is not None:
            yield first
        async for part in parts:
            yield part

    return all_parts()


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
