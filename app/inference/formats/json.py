"""JSON: an array of rows, or an object of eight equally long arrays; whole, under a cap."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from app.http.media_types import ARROW, CSV, NDJSON
from app.http.strict_json import Repeated, parse_strict_json
from app.inference.formats.floats import to_floats
from app.inference.formats.json_objects import QUOTES, all_numbers, has_numbers_only, one_by_one
from app.inference.row_errors import unknown_feature
from app.inference.rows import MAX_ROWS, Rows, of_numbers
from app.inference.scored import Scored, Scorer
from models.csv_table import TableError
from models.features import FEATURE_NAMES

MAX_BYTES = 4 * 1024 * 1024  # 10,000 rows with all their digits have half of it
TOO_LARGE = (
    f"A JSON batch must have at most {MAX_ROWS:,} rows and {MAX_BYTES:,} bytes, however it has "
    f"more; {CSV}, {NDJSON} and {ARROW} have no limit."
)


class TooManyRowsError(Exception):
    """A body has more than MAX_ROWS."""


class JSONBatch(NamedTuple):
    """The rows of a body, in parts, and how they came."""

    parts: Iterator[Rows]
    as_columns: bool


def read_json(body: bytes) -> JSONBatch:
    """The rows of a body.

    Raises TableError where it is not JSON or of another shape, TooManyRowsError.
    """
    try:
        value = orjson.loads(body)
    except ValueError:  # what is wrong is told by the stricter parser
        value = _parse_strictly(body)
    if isinstance(value, list):
        return JSONBatch(_read_rows(value, body), as_columns=False)
    if isinstance(value, dict):
        return JSONBatch(_read_columns(value, body), as_columns=True)
    raise TableError(
        "the body must be an array of rows or an object of eight arrays, however another value came"
    )


def _parse_strictly(body: bytes) -> Any:
    try:
        return parse_strict_json(body)
    except json.JSONDecodeError as error:
        where = f" (after {error.pos} characters)" if error.pos else ""
        raise TableError(f"the body must be JSON in UTF-8, however: {error.msg}{where}") from error


def _read_rows(objects: list[Any], body: bytes) -> Iterator[Rows]:
    _require_few(len(objects))
    rows = all_numbers(objects, body)
    return iter([rows]) if rows else one_by_one(_parse_strictly(body))


def _read_columns(columns: dict[str, Any], body: bytes) -> Iterator[Rows]:
    rows = _all_numbers(columns, body)
    if rows:
        _require_few(len(rows))
        return iter([rows])
    columns = _parse_strictly(body)
    _require_columns(columns)
    _require_few(len(columns[FEATURE_NAMES[0]]))
    cells = zip(*(columns[name] for name in FEATURE_NAMES), strict=True)
    return one_by_one([dict(zip(FEATURE_NAMES, row, strict=True)) for row in cells])


def _all_numbers(columns: dict[str, Any], body: bytes) -> Rows | None:
    """The rows, where the body certainly has each name once, and numbers only."""
    if not has_numbers_only(body, QUOTES):
        return None
    each: list[Any] = [columns.get(name) for name in FEATURE_NAMES]
    if {*map(type, each)} != {list} or len({*map(len, each)}) > 1:
        return None
    try:
        return of_numbers(np.array([*map(to_floats, each)]).T)
    except ValueError:
        return None


def _require_columns(columns: dict[str, Any]) -> None:
    for name in columns:
        if name not in FEATURE_NAMES:
            raise TableError(unknown_feature(name).removesuffix("."))
    for name in FEATURE_NAMES:
        column = columns.get(name)
        if not isinstance(column, list):
            came = "it is missing" if name not in columns else "something else came"
            came = "it came more than once" if isinstance(column, Repeated) else came
            if isinstance(column, float):
                came = "a number came (POST /predict takes one row)"
            raise TableError(f"{name} must be an array of numbers, however {came}")
    if len({len(column) for column in columns.values()}) > 1:
        raise TableError("the eight arrays must be equally long, however they are not")


def _require_few(rows: int) -> None:
    if rows > MAX_ROWS:
        raise TooManyRowsError


class ArrayWriter:
    """An array of answers, one for each row."""

    warns = True

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def write(self, parts: Sequence[Scored]) -> bytes:
        """The whole body."""
        return orjson.dumps([answer for part in parts for answer in part.to_json(self._scorer)])


class ColumnsWriter:
    """Arrays of predictions and bounds, null where a row is refused, which `errors` tells."""

    warns = False

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def write(self, parts: Sequence[Scored]) -> bytes:
        """The whole body."""
        numbers = np.concatenate([np.empty((0, 3)), *(part.numbers for part in parts)])
        columns = np.ascontiguousarray(numbers.T)
        answer: dict[str, Any] = dict(zip(("prediction", "lower", "upper"), columns, strict=True))
        answer["model"] = self._scorer.model.identity
        errors, start = [], 0
        for part in parts:
            refused = sorted(part.rows.refused.items())
            errors += [{"row": start + index, "error": why} for index, why in refused]
            start += len(part.rows)
        if errors:
            answer["errors"] = errors
        return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)  # NaN is null
