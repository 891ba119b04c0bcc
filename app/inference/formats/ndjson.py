"""NDJSON: one row a line in; one prediction a line out, or `{"error": "..."}` in its place."""

import json
from collections.abc import Iterator
from typing import Any

import orjson

from app.http.strict_json import parse_strict_json
from app.inference.formats.base import OVERLONG, OVERLONG_ERROR, LineBuffer
from app.inference.formats.json import convert_objects, validate_in_chunks
from app.inference.row_errors import RowError, invalid_json
from app.inference.rows import Rows
from app.inference.scored import Scored, Scorer


class NDJSONReader:
    """Parses lines of JSON in UTF-8; blank lines are ignored."""

    def __init__(self) -> None:
        self._lines = LineBuffer()

    def feed(self, data: bytes) -> Iterator[Rows]:
        """Return the rows of all complete lines."""
        return self._read(self._lines.feed(data))

    def close(self) -> Iterator[Rows]:
        """Return the row of an unfinished last line."""
        return self._read(self._lines.close())

    def _read(self, text: bytes) -> Iterator[Rows]:
        lines = [line for line in text.split(b"\n") if line.strip()]
        rows = _read_at_once(lines)
        yield from validate_in_chunks([*map(_parse, lines)]) if rows is None else [rows]


def _read_at_once(lines: list[bytes]) -> Rows | None:
    """Parse all lines as one JSON array; None unless every line is a row of eight numbers.

    Each line stands in brackets of its own, so that no line can close another's.
    """
    text = b"[[%b]]" % b"],[".join(lines)
    try:
        parsed = orjson.loads(text) if lines else []
    except ValueError:
        return None
    if len(parsed) != len(lines) or any(len(line) != 1 for line in parsed):
        return None
    return convert_objects([value for (value,) in parsed], text)


def _parse(line: bytes) -> Any:
    """Return the value of a line, or a RowError if it is not JSON."""
    if line == OVERLONG:
        return OVERLONG_ERROR
    try:
        return parse_strict_json(line)
    except json.JSONDecodeError as error:
        return RowError(invalid_json("The line", error), "json_invalid")


class NDJSONWriter:
    """Writes a line for each row."""

    with_warnings = True

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def start(self) -> bytes:
        """Return nothing: the first line is a row's."""
        return b""

    def write(self, scored: Scored) -> bytes:
        """Return the lines of the rows."""
        return b"".join(
            orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
            for line in scored.to_json(self._scorer)
        )

    def end(self) -> bytes:
        """Return nothing: the last line is complete."""
        return b""
