"""A reference parser, written from README.md without regard to speed.

It shares only the feature bounds with the service.
"""

import csv
import json
import math
import re
from dataclasses import dataclass
from typing import Any

from models.features import FEATURES

NAMES = [feature.name for feature in FEATURES]
MAX_LINE_BYTES = 65_536
MAX_DEPTH = 32  # of arrays and objects


class MalformedError(Exception):
    """The whole body is invalid."""


class Duplicate:
    """The value of a duplicate key."""


@dataclass(frozen=True)
class Row:
    """The numbers of a valid row, or the invalid features of a rejected one, as far as known."""

    numbers: tuple[float, ...] | None
    invalid_features: frozenset[str] = frozenset()


REJECTED = Row(None)


def strict_json(text: bytes) -> Any:
    if text.startswith(b"\xef\xbb\xbf"):
        raise MalformedError
    try:
        value = json.loads(
            text.decode("utf-8"), parse_int=float, object_pairs_hook=_mark_duplicates
        )
    except (ValueError, RecursionError) as error:
        raise MalformedError from error
    if _depth(text.decode()) > MAX_DEPTH:
        raise MalformedError
    return value


def _depth(text: str) -> int:
    """Return how deep arrays and objects are nested in a JSON text."""
    level = deepest = 0
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|[\[{}\]]', text):
        level += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token, 0)
        deepest = max(deepest, level)
    return deepest


def _mark_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, item in pairs:
        value[key] = Duplicate() if key in value else item
    return value


def row_of_object(value: Any) -> Row:
    if not isinstance(value, dict) or not all(map(_has_no_surrogates, value)):
        return REJECTED
    row = row_of_cells([value.get(name) for name in NAMES])
    return Row(None, row.invalid_features) if value.keys() - set(NAMES) else row


def _has_no_surrogates(key: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in key)


def row_of_cells(cells: list[Any]) -> Row:
    """Validate eight cells; only floats within the bounds are valid."""
    invalid = {
        feature.name
        for feature, cell in zip(FEATURES, cells, strict=True)
        if type(cell) is not float or not feature.allows(cell)
    }
    return Row(None, frozenset(invalid)) if invalid else Row(tuple(cells))


def rows_of_json(body: bytes) -> list[Row]:
    """Read an array of objects or an object of arrays."""
    value = strict_json(body)
    if isinstance(value, list):
        return [row_of_object(item) for item in value]
    if not isinstance(value, dict) or value.keys() != set(NAMES):
        raise MalformedError
    columns = [value[name] for name in NAMES]
    if any(type(column) is not list or len(column) != len(columns[0]) for column in columns):
        raise MalformedError
    return [row_of_cells(list(cells)) for cells in zip(*columns, strict=True)]


def rows_of_ndjson(body: bytes) -> list[Row]:
    return [_row_of_ndjson_line(line) for line in _records(body)]


def _records(text: bytes) -> list[bytes]:
    """All lines but blank ones; a blank line that is too long counts as a record."""
    return [line for line in text.split(b"\n") if line.strip() or len(line) > MAX_LINE_BYTES]


def _row_of_ndjson_line(line: bytes) -> Row:
    if len(line) > MAX_LINE_BYTES:
        return REJECTED
    try:
        return row_of_object(strict_json(line))
    except MalformedError:
        return REJECTED


def rows_of_csv(body: bytes) -> list[Row]:
    header_line, _, rest = body.partition(b"\n")
    try:
        header = [cell.strip() for cell in _cells(header_line.decode("utf-8-sig"))]
    except (UnicodeDecodeError, csv.Error) as error:
        raise MalformedError from error
    if len(header_line) > MAX_LINE_BYTES or any(header.count(name) != 1 for name in NAMES):
        raise MalformedError
    positions = [header.index(name) for name in NAMES]
    lines = [line.removesuffix(b"\r") for line in rest.split(b"\n")]
    return [_row_of_csv_line(line, len(header), positions) for line in _records(b"\n".join(lines))]


def _row_of_csv_line(line: bytes, width: int, positions: list[int]) -> Row:
    try:
        cells = _cells(line.decode())
    except (UnicodeDecodeError, csv.Error):
        return REJECTED
    if len(line) > MAX_LINE_BYTES or len(cells) != width:
        return REJECTED
    return row_of_cells([_number(cells[position]) for position in positions])


def _cells(line: str) -> list[str]:
    return next(csv.reader([line], strict=True), [])


def _number(cell: str) -> float:
    try:
        return float(cell) if cell.isascii() and "_" not in cell else math.nan
    except ValueError:
        return math.nan
