"""NDJSON: a row to a line in; an answer to a line out, or `{"error": "..."}` in its place."""

import json
from collections.abc import Iterator
from typing import Any

import orjson

from app.http.strict_json import NotJSON, parse_strict_json
from app.inference.formats.json_objects import all_numbers, one_by_one
from app.inference.formats.lines import MAX_LINE_BYTES, OVERLONG, LineBuffer
from app.inference.rows import Rows
from app.inference.scored import Scored, Scorer


class NDJSONReader:
    """Rows from lines of JSON in UTF-8, as they come; blank lines are passed over."""

    def __init__(self) -> None:
        self._lines = LineBuffer()

    def feed(self, data: bytes) -> Iterator[Rows]:
        """The rows of all lines that are whole now."""
        return self._read(self._lines.feed(data))

    def close(self) -> Iterator[Rows]:
        """The row of the last line, where it has no end."""
        return self._read(self._lines.close())

    def _read(self, text: bytes) -> Iterator[Rows]:
        lines = [line for line in text.split(b"\n") if line.strip()]
        rows = self._read_at_once(lines)
        yield from one_by_one([_parse(line) for line in lines]) if rows is None else [rows]

    def _read_at_once(self, lines: list[bytes]) -> Rows | None:
        """All lines by one call of the parser, each in brackets of its own."""
        text = b"[[%b]]" % b"],[".join(lines)
        try:
            parsed = orjson.loads(text) if lines else []
        except ValueError:
            return None
        if len(parsed) != len(lines) or any(len(line) != 1 for line in parsed):
            return None
        return all_numbers([item for (item,) in parsed], text)


def _parse(line: bytes) -> Any:
    """The value of a line; what is not JSON becomes a value that says so when it is refused."""
    if line == OVERLONG:
        return NotJSON(f"longer than {MAX_LINE_BYTES:,} bytes")
    try:
        return parse_strict_json(line)
    except json.JSONDecodeError as error:
        return NotJSON(error.msg)


class NDJSONWriter:
    """A line for each row."""

    warns = True

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def start(self) -> bytes:
        """Nothing yet."""
        return b""

    def write(self, scored: Scored) -> bytes:
        """The lines of some rows."""
        return b"".join(
            orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE)
            for answer in scored.to_json(self._scorer)
        )

    def end(self) -> bytes:
        """Nothing more."""
        return b""
