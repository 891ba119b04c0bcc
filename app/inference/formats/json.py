"""JSON: an array of rows, or an object of eight equally long arrays; read as a whole.

Valid rows take a fast path, many at once. If anything is unusual, the strict parser and the row
schema read the body again and explain each error.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import orjson

from app.http.media_types import ARROW, CSV, NDJSON
from app.http.strict_json import Repeated, parse_strict_json
from app.inference.formats.base import VALIDATED_AT_ONCE
from app.inference.row_errors import invalid_json, json_type_name, unknown_feature
from app.inference.rows import MAX_ROWS, Rows, check_bounds, to_floats, validate_objects
from app.inference.scored import Scored, Scorer
from models.csv_table import TableError
from models.features import FEATURE_NAMES

MAX_BYTES = 4 * 1024 * 1024  # twice the size of MAX_ROWS rows with all their digits
TOO_LARGE = (
    f"A JSON batch must have at most {MAX_ROWS:,} rows and {MAX_BYTES:,} bytes, got more. "
    f"Send {CSV}, {NDJSON} or {ARROW}, which have no limit."
)
QUOTES = 2 * len(FEATURE_NAMES)  # around the names of a row, or of the eight arrays
NUMBER_BYTES = b"0123456789+-.,: []{}\n\r\t"  # of numbers, and of arrays and objects of them
LITERALS = (b"true", b"false", b"null")

_get_features = itemgetter(*FEATURE_NAMES)


class TooManyRowsError(Exception):
    """A body has more than MAX_ROWS rows."""


class JSONBatch(NamedTuple):
    """A parsed body."""

    rows: Iterator[Rows]  # in chunks
    as_columns: bool  # whether it is an object of arrays, and so is the response


def read_json(body: bytes) -> JSONBatch:
    """Parse a body.

    Raises TableError if it is not JSON or has another shape, and TooManyRowsError.
    """
    try:
        value = orjson.loads(body)
    except ValueError:  # parsed again, to explain the error
        value = _parse_strictly(body)
    if isinstance(value, list):
        return JSONBatch(_read_array(value, body), as_columns=False)
    if isinstance(value, dict):
        return JSONBatch(_read_columns(value, body), as_columns=True)
    raise TableError(
        "the body must be an array of rows or an object of eight arrays, "
        f"got {json_type_name(value)}"
    )


def convert_objects(objects: Sequence[Any], text: bytes) -> Rows | None:
    """Return the rows of objects parsed from a text.

    None unless each object certainly has the eight features once, all numbers.
    """
    if not _has_only_numbers(text, QUOTES * len(objects)):
        return None
    try:
        if any(len(item) != len(FEATURE_NAMES) for item in objects):
            return None
        values = to_floats([*chain.from_iterable(map(_get_features, objects))])
    except (KeyError, TypeError, ValueError):
        return None
    return check_bounds(values.reshape(len(objects), len(FEATURE_NAMES)))


def validate_in_chunks(objects: Sequence[Any]) -> Iterator[Rows]:
    """Return the rows of objects, a few at a time, because errors take long to explain."""
    for start in range(0, len(objects), VALIDATED_AT_ONCE):
        yield validate_objects(objects[start : start + VALIDATED_AT_ONCE])


def _parse_strictly(body: bytes) -> Any:
    try:
        return parse_strict_json(body)
    except json.JSONDecodeError as error:
        raise TableError(invalid_json("The body", error)) from error


def _read_array(objects: list[Any], body: bytes) -> Iterator[Rows]:
    _require_max_rows(len(objects))
    rows = convert_objects(objects, body)
    return iter([rows]) if rows else validate_in_chunks(_parse_strictly(body))


def _read_columns(columns: dict[str, Any], body: bytes) -> Iterator[Rows]:
    rows = _convert_columns(columns, body)
    if rows:
        _require_max_rows(len(rows))
        return iter([rows])
    columns = _parse_strictly(body)
    _require_columns(columns)
    _require_max_rows(len(columns[FEATURE_NAMES[0]]))
    cells = zip(*(columns[name] for name in FEATURE_NAMES), strict=True)
    return validate_in_chunks([dict(zip(FEATURE_NAMES, row, strict=True)) for row in cells])


def _convert_columns(columns: dict[str, Any], body: bytes) -> Rows | None:
    """Return the rows of columns; None unless each name is certainly there once, all numbers."""
    if not _has_only_numbers(body, QUOTES):
        return None
    arrays: list[Any] = [columns.get(name) for name in FEATURE_NAMES]
    if {*map(type, arrays)} != {list} or len({*map(len, arrays)}) > 1:
        return None
    try:
        return check_bounds(np.array([*map(to_floats, arrays)]).T)
    except ValueError:
        return None


def _has_only_numbers(text: bytes, quotes: int) -> bool:
    """Return whether JSON text with this many quotes around names has no values but numbers.

    A repeated name or a string adds quotes. Neither a name nor a number contains a literal.
    """
    rest = text.translate(None, NUMBER_BYTES)
    return rest.count(b'"') == quotes and not any(literal in rest for literal in LITERALS)


def _require_columns(columns: dict[str, Any]) -> None:
    for name in columns:
        if name not in FEATURE_NAMES:
            raise TableError(unknown_feature(name))
    for name in FEATURE_NAMES:
        if not isinstance(columns.get(name), list):
            received = _describe_column(columns, name)
            raise TableError(f"{name} must be an array of numbers, {received}")
    if len({len(column) for column in columns.values()}) > 1:
        raise TableError("the eight arrays must have the same length, got different lengths")


def _describe_column(columns: dict[str, Any], name: str) -> str:
    if name not in columns:
        return "but it is missing"
    if isinstance(columns[name], Repeated):
        return "but it appears more than once"
    received = f"got {json_type_name(columns[name])}"
    is_number = isinstance(columns[name], float)
    return f"{received}. Send a single row to POST /predict" if is_number else received


def _require_max_rows(rows: int) -> None:
    if rows > MAX_ROWS:
        raise TooManyRowsError


class ArrayWriter:
    """Writes an array with the prediction or error of each row."""

    with_warnings = True

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def write(self, chunks: Sequence[Scored]) -> bytes:
        """Return the whole body."""
        return orjson.dumps([item for chunk in chunks for item in chunk.to_json(self._scorer)])


class ColumnsWriter:
    """Writes arrays of predictions and bounds, null where rejected; `errors` says why."""

    with_warnings = False

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def write(self, chunks: Sequence[Scored]) -> bytes:
        """Return the whole body."""
        estimates = np.concatenate([np.empty((0, 3)), *(chunk.estimates for chunk in chunks)])
        columns = np.ascontiguousarray(estimates.T)
        body: dict[str, Any] = dict(zip(("prediction", "lower", "upper"), columns, strict=True))
        body["model"] = self._scorer.model.identity
        errors, start = [], 0
        for chunk in chunks:
            in_order = sorted(chunk.rows.errors.items())
            errors += [{"row": start + index, "error": error} for index, error in in_order]
            start += len(chunk.rows)
        if errors:
            body["errors"] = errors
        return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)  # writes NaN as null
