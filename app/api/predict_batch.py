"""POST /predict/batch: many rows in, an answer for each, in the same media type."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from app.api.dependencies import BatchChosen, BatchChosenDep
from app.api.streaming import StreamedAnswers
from app.http.bodies import read_at_most, require_media_type
from app.http.media_types import ARROW, CSV, JSON, NDJSON
from app.http.model_header import MODEL_HEADER_TOLD, model_header
from app.http.openapi_errors import OVERLOADED_DOCS, UNKNOWN_MODEL, ErrorDocs, error_docs
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


router = APIRouter(tags=["predictions"])


def _schema(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _array_of(*names: str) -> dict[str, Any]:
    items = [_schema(name) for name in names]
    return {"type": "array", "items": items[0] if len(items) == 1 else {"anyOf": items}}


_text = {"type": "string"}
_binary = {"type": "string", "format": "binary"}
_rows = {"anyOf": [_array_of("HouseFeatures"), _schema("HouseColumns")]}
_answers = {
    "anyOf": [_array_of("Prediction", "RefusedRow"), _schema("PredictedColumns")],
}
REQUEST_BODY = {
    "required": True,
    "content": {
        media_type: {"schema": schema}
        for media_type, schema in zip(MEDIA_TYPES, (_rows, _text, _text, _binary), strict=True)
    },
}
RESPONSES: ErrorDocs = {
    200: {
        **MODEL_HEADER_TOLD,
        "description": "An answer for each row, in the media type of the request.",
        "content": {
            media_type: {"schema": schema}
            for media_type, schema in zip(
                MEDIA_TYPES, (_answers, _text, _text, _binary), strict=True
            )
        },
    },
    **UNKNOWN_MODEL,
    **error_docs(413, "A JSON batch is too large; the others have no limit.", TOO_LARGE),
    **error_docs(
        415,
        "The body is of another media type, or compressed.",
        f"The Content-Type must be {' or '.join(MEDIA_TYPES)}, however none came.",
    ),
    **error_docs(
        422,
        "The body as a whole is malformed, or the query is.",
        "The body is empty; expected a header line with MedInc, HouseAge, ...",
    ),
    **OVERLOADED_DOCS,
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

    A row that is refused is answered in its place, and the rest go on.

    - `application/json`: an array of rows is answered by an array of answers, a refused row by
      `{"error": "..."}`; an object of eight equally long arrays by arrays, with null for a refused
      row and the reason in `errors`. At most 10,000 rows.
    - `text/csv`, with a header: by lines of `prediction,lower,upper`, empty where a row is refused;
      `?errors=true` adds the column `error`. A line is a record.
    - `application/x-ndjson`: by a line for each row, a refused one by `{"error": "..."}`.
    - `application/vnd.apache.arrow.stream`: by columns `prediction`, `lower`, `upper` and `error`.

    All but JSON are answered while they come, and have no limit: read the answers while sending.
    """
    media_type = require_media_type(request.headers, *MEDIA_TYPES)
    scorer = CountingScorer(chosen.model, chosen.level)
    if media_type == JSON:
        return await _answer_json(request, scorer)
    reader, writer = _of(media_type, scorer, chosen)
    try:
        parts = await _started(read_rows(request.stream(), reader))
    except TableError as error:
        raise HTTPException(422, as_sentence(error)) from error
    reject_if_saturated()
    return StreamedAnswers(parts, scorer, writer, media_type=media_type)


async def _answer_json(request: Request, scorer: Scorer) -> Response:
    body = await read_at_most(request, MAX_BYTES, TOO_LARGE)
    try:
        batch = read_json(body)
    except TooManyRowsError as error:
        raise HTTPException(413, TOO_LARGE) from error
    except TableError as error:
        raise HTTPException(422, as_sentence(error)) from error
    reject_if_saturated()
    writer = ColumnsWriter(scorer) if batch.as_columns else ArrayWriter(scorer)
    scored = [await scorer.score(rows, with_warnings=writer.with_warnings) for rows in batch.rows]
    return Response(
        writer.write(scored), headers=model_header(scorer.model.identity), media_type=JSON
    )


def _of(media_type: str, scorer: Scorer, chosen: BatchChosen) -> tuple[Reader, Writer]:
    """What reads and writes a media type."""
    if media_type == CSV:
        return CSVReader("the body"), CSVWriter(errors=chosen.errors)
    if media_type == NDJSON:
        return NDJSONReader(), NDJSONWriter(scorer)
    try:
        from app.inference.formats.arrow import ArrowReader, ArrowWriter  # noqa: PLC0415  # an extra
    except ModuleNotFoundError as error:
        raise HTTPException(
            415, f"For {ARROW} the service must have its extra `arrow`, however it has not."
        ) from error
    return ArrowReader(), ArrowWriter(scorer)


async def _started(parts: AsyncIterator[Rows]) -> AsyncIterator[Rows]:
    """The same parts, of which the first has been read: what is wrong from the start is told."""
    first = await anext(parts, None)

    async def all_parts() -> AsyncIterator[Rows]:
        if first is not None:
            yield first
        async for part in parts:
            yield part

    return all_parts()
