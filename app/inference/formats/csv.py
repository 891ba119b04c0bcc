"""CSV: a header and one row a line in; `prediction,lower,upper` out, empty where rejected."""

import csv
import math
from collections.abc import Iterator

import numpy as np
import orjson

from app.inference.formats.base import (
    MAX_LINE_BYTES,
    OVERLONG,
    OVERLONG_ERROR,
    VALIDATED_AT_ONCE,
    LineBuffer,
)
from app.inference.row_errors import RowError, invalid_number
from app.inference.rows import Rows, check_bounds, to_floats
from app.inference.scored import Scored
from models.arrays import FloatArray
from models.csv_table import TableError, choose_columns, to_number
from models.features import FEATURE_NAMES

NUMBER_BYTES = b"0123456789.-+eE"  # all that a plain table has besides commas and line feeds
COMMA, LINE_FEED = b",\n"


class CSVReader:
    """Parses CSV in UTF-8; one line is one record, columns in any order."""

    def __init__(self, name: str) -> None:
        self._name = name  # of the file or body, for errors in the header
        self._lines = LineBuffer()
        self._width = 0  # number of columns; 0 before the header
        self._positions: list[int] = []  # of the features among the columns

    def feed(self, data: bytes) -> Iterator[Rows]:
        """Return the rows of all complete lines. Raises TableError if the header is invalid."""
        return self._read(self._lines.feed(data))

    def close(self) -> Iterator[Rows]:
        """Return the row of an unfinished last line. Raises TableError if there is no header."""
        yield from self._read(self._lines.close())
        if not self._width:
            self._read_header(b"")

    def _read(self, lines: bytes) -> Iterator[Rows]:
        if lines and not self._width:
            header, _, lines = lines.partition(b"\n")
            self._read_header(header)
        if not lines:
            return
        if b"\r" in lines:
            lines = lines.replace(b"\r\n", b"\n")
        rows = self._read_numbers(lines)
        yield from self._read_lines(lines) if rows is None else [rows]

    def _read_header(self, line: bytes) -> None:
        where = f"{self._name}, line 1: the header"
        if line == OVERLONG:
            raise TableError(f"{where} must have at most {MAX_LINE_BYTES:,} bytes, got more")
        try:
            header = [column.strip() for column in _split(line, "utf-8-sig")]
        except _NotCSVError as error:
            raise TableError(f"{where} {error}") from error
        if not header:
            expected = ", ".join(FEATURE_NAMES[:2])
            raise TableError(f"{self._name} is empty; expected a header line with {expected}, ...")
        columns = choose_columns(where, header, [FEATURE_NAMES])
        self._width = len(header)
        self._positions = [header.index(column) for column in columns]

    def _read_numbers(self, lines: bytes) -> Rows | None:
        """Parse all lines at once; None unless each cell is a number and no line is ragged.

        They are parsed as one flat JSON array, because orjson is the fastest parser available.
        """
        lines = lines.rstrip(b"\n")
        separators = lines.translate(None, NUMBER_BYTES)
        commas = [b"," * (self._width - 1)] * (separators.count(b"\n") + 1)
        if separators != b"\n".join(commas):
            return None
        try:
            values = to_floats(orjson.loads(b"[%b]" % lines.replace(b"\n", b",")))
        except ValueError:  # an empty cell, or a number that only CSV allows, such as +1
            return None
        return check_bounds(values.reshape(-1, self._width)[:, self._positions])

    def _read_lines(self, lines: bytes) -> Iterator[Rows]:
        """Parse line by line; blank lines are ignored."""
        present = [line for line in lines.split(b"\n") if line.strip()]
        for start in range(0, len(present), VALIDATED_AT_ONCE):
            chunk = present[start : start + VALIDATED_AT_ONCE]
            values, errors = np.full((len(chunk), len(FEATURE_NAMES)), np.nan), {}
            for index, line in enumerate(chunk):
                try:
                    values[index] = self._read_line(line)
                except _InvalidLineError as error:
                    errors[index] = error.row_error
            checked = check_bounds(values)
            yield Rows(checked.values, checked.errors | errors)

    def _read_line(self, line: bytes) -> list[float]:
        """Return the eight numbers of a line. Raises _InvalidLineError."""
        if line == OVERLONG:
            raise _InvalidLineError(OVERLONG_ERROR)
        try:
            cells = _split(line)
        except _NotCSVError as error:
            raise _InvalidLineError(RowError(f"The line {error}.", "malformed")) from error
        if len(cells) != self._width:
            sentence = f"The line must have {self._width} cells like the header, got {len(cells)}."
            raise _InvalidLineError(RowError(sentence, "malformed"))
        return [
            _parse_number(feature, cells[position])
            for feature, position in zip(FEATURE_NAMES, self._positions, strict=True)
        ]


class _InvalidLineError(Exception):
    def __init__(self, row_error: RowError) -> None:
        super().__init__(row_error)
        self.row_error = row_error


class _NotCSVError(Exception):
    """A line is not one CSV record; the message is a sentence without its subject."""


def _split(line: bytes, encoding: str = "utf-8") -> list[str]:
    """Return the cells of a line. Raises _NotCSVError."""
    try:
        return next(csv.reader([line.decode(encoding)], strict=True), [])
    except UnicodeDecodeError as error:
        raise _NotCSVError("must be in UTF-8, got other bytes") from error
    except csv.Error as error:
        if b"\r" in line:
            raise _NotCSVError("must end in LF or CRLF, got a lone CR") from error
        raise _NotCSVError("must be one CSV record, got an unmatched quote") from error


def _parse_number(feature: str, cell: str) -> float:
    number = to_number(cell)
    if math.isnan(number):
        received = "text" if cell.strip() else "an empty cell"
        raise _InvalidLineError(invalid_number(feature, received))
    return number


class CSVWriter:
    """Writes a line of `prediction,lower,upper` for each row, with `error` on request."""

    with_warnings = False

    def __init__(self, *, errors: bool = False) -> None:
        self._with_errors = errors

    def start(self) -> bytes:
        """Return the header."""
        return b"prediction,lower,upper" + (b",error\n" if self._with_errors else b"\n")

    def write(self, scored: Scored) -> bytes:
        """Return the lines of the rows."""
        if not len(scored.rows):
            return b""
        lines, errors = _write_lines(scored.estimates), scored.rows.errors
        if errors:
            lines = lines.replace(b"null", b"")
        return _append_errors(lines, errors) if self._with_errors else lines

    def end(self) -> bytes:
        """Return nothing: the last line is complete."""
        return b""


def _write_lines(numbers: FloatArray) -> bytes:
    """Return numbers (n, k) as n lines, with `null` for NaN.

    They are written as one flat JSON array; then every k-th comma becomes a line feed.
    """
    text = orjson.dumps(numbers.ravel(), option=orjson.OPT_SERIALIZE_NUMPY)
    characters = np.frombuffer(text[1:-1] + b",", dtype=np.uint8).copy()
    commas = np.flatnonzero(characters == COMMA)
    characters[commas[numbers.shape[1] - 1 :: numbers.shape[1]]] = LINE_FEED
    return characters.tobytes()


def _append_errors(lines: bytes, errors: dict[int, RowError]) -> bytes:
    return b"".join(
        b"%b,%b\n" % (line, _quote(errors.get(index, "")))
        for index, line in enumerate(lines.splitlines())
    )


def _quote(sentence: str) -> bytes:
    return f'"{sentence.replace(chr(34), chr(34) * 2)}"'.encode() if sentence else b""
