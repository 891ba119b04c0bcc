"""CSV: a header and a row to a line in; `prediction,lower,upper` out, empty where refused."""

import csv
import math
from collections.abc import Iterator

import numpy as np
import orjson

from app.inference.formats.floats import to_floats
from app.inference.formats.lines import MAX_LINE_BYTES, OVERLONG, LineBuffer
from app.inference.rows import RowError, Rows, of_numbers
from app.inference.scored import Scored
from models.arrays import FloatArray
from models.csv_table import TableError, choose_columns, to_number
from models.features import FEATURE_NAMES, FEATURES, Column

LINES_AT_ONCE = 64  # where each is looked at by itself
OF_NUMBERS = b"0123456789.-+eE"  # all that a plain table has besides commas and ends of lines
COMMA, NEWLINE = b",\n"


class CSVReader:
    """Rows from a CSV text in UTF-8, as it comes; a line is a record, columns in any order."""

    def __init__(self, name: str) -> None:
        self._name = name  # of the text, for a bad header
        self._lines = LineBuffer()
        self._width = 0  # columns, once the header was read
        self._positions: list[int] = []  # of the features among them

    def feed(self, data: bytes) -> Iterator[Rows]:
        """The rows of all lines that are whole now; raises TableError at a bad header."""
        return self._read(self._lines.feed(data))

    def close(self) -> Iterator[Rows]:
        """The rows of what is left; raises TableError where there was no header."""
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
        rows = self._read_plain(lines)
        yield from self._read_each(lines) if rows is None else [rows]

    def _read_header(self, line: bytes) -> None:
        if line == OVERLONG:
            raise TableError(
                f"{self._name}, line 1: the header must have at most {MAX_LINE_BYTES:,} bytes, "
                "however it has more"
            )
        try:
            header = [column.strip() for column in _cells(line, "utf-8-sig")]
        except _NotCSVError as error:
            raise TableError(f"{self._name}, line 1: the header must {error}") from error
        if not header:
            raise TableError(f"{self._name} must have a header, however it is empty")
        columns = choose_columns(f"{self._name}, line 1: the header", header, [FEATURE_NAMES])
        self._width = len(header)
        self._positions = [header.index(column) for column in columns]

    def _read_plain(self, lines: bytes) -> Rows | None:
        """All lines at once, where they hold nothing but numbers, as many in each as they should.

        Read as one flat JSON array, which is the fastest parser at hand.
        """
        lines = lines.rstrip(b"\n")
        separators = lines.translate(None, OF_NUMBERS)
        commas = [b"," * (self._width - 1)] * (separators.count(b"\n") + 1)
        if separators != b"\n".join(commas):  # or there is something else
            return None
        try:
            values = to_floats(orjson.loads(b"[%b]" % lines.replace(b"\n", b",")))
        except ValueError:  # a number that CSV may have and JSON may not, an empty cell
            return None
        return of_numbers(values.reshape(-1, self._width)[:, self._positions])

    def _read_each(self, lines: bytes) -> Iterator[Rows]:
        """Line by line; blank ones are passed over."""
        each = [line for line in lines.split(b"\n") if line.strip()]
        for start in range(0, len(each), LINES_AT_ONCE):
            some = each[start : start + LINES_AT_ONCE]
            values, refused = np.zeros((len(some), len(FEATURE_NAMES))), {}
            for index, line in enumerate(some):
                try:
                    values[index] = self._read_line(line)
                except _RefusedLineError as error:
                    values[index], refused[index] = np.nan, error.refusal
            checked = of_numbers(values)
            yield Rows(checked.values, checked.refused | refused)

    def _read_line(self, line: bytes) -> list[float]:
        """The features of one line; raises _RefusedLineError."""
        if line == OVERLONG:
            raise _RefusedLineError(
                f"The line must have at most {MAX_LINE_BYTES:,} bytes, however it has more."
            )
        try:
            cells = _cells(line)
        except _NotCSVError as error:
            raise _RefusedLineError(f"The line must {error}.") from error
        if len(cells) != self._width:
            raise _RefusedLineError(
                f"The line must have {self._width} cells like the header, however: {len(cells)}."
            )
        return [
            _number(feature, cells[position])
            for feature, position in zip(FEATURES, self._positions, strict=True)
        ]


class _RefusedLineError(Exception):
    def __init__(self, sentence: str, kind: str = "malformed") -> None:
        super().__init__(sentence)
        self.refusal = RowError(sentence, kind)


class _NotCSVError(Exception):
    """Tells what a line must be, and what it is."""


def _cells(line: bytes, encoding: str = "utf-8") -> list[str]:
    try:
        return next(csv.reader([line.decode(encoding)], strict=True), [])
    except UnicodeDecodeError as error:
        raise _NotCSVError("be in UTF-8, however it is not") from error
    except csv.Error as error:
        if b"\r" in line:
            raise _NotCSVError("end in a line feed, however a carriage return is in it") from error
        raise _NotCSVError("be a whole record of CSV, however a quote in it is astray") from error


def _number(feature: Column, cell: str) -> float:
    number = to_number(cell)
    if math.isnan(number):
        came = "text came" if cell.strip() else "the cell is empty"
        raise _RefusedLineError(
            f"{feature.name} must be a number {feature.bounds}, however {came}.", "float_type"
        )
    return number


class CSVWriter:
    """A line of `prediction,lower,upper` for each row, and `error` where it is asked for."""

    warns = False

    def __init__(self, *, errors: bool = False) -> None:
        self._errors = errors

    def start(self) -> bytes:
        """The header."""
        return b"prediction,lower,upper" + (b",error\n" if self._errors else b"\n")

    def write(self, scored: Scored) -> bytes:
        """The lines of some rows."""
        if not len(scored.rows):
            return b""
        lines = _lines_of(scored.numbers)
        if scored.rows.refused:
            lines = lines.replace(b"null", b"")
        return self._with_errors(lines, scored.rows.refused) if self._errors else lines

    def end(self) -> bytes:
        """Nothing more."""
        return b""

    def _with_errors(self, lines: bytes, refused: dict[int, RowError]) -> bytes:
        return b"".join(
            b"%b,%b\n" % (line, _quoted(refused.get(index, "")))
            for index, line in enumerate(lines.splitlines())
        )


def _lines_of(numbers: FloatArray) -> bytes:
    """Numbers (n, k) as lines; `null` for NaN.

    They are written as one array, whose last commas of k become ends of lines.
    """
    text = orjson.dumps(numbers.ravel(), option=orjson.OPT_SERIALIZE_NUMPY)
    characters = np.frombuffer(text[1:-1] + b",", dtype=np.uint8).copy()
    commas = np.flatnonzero(characters == COMMA)
    characters[commas[numbers.shape[1] - 1 :: numbers.shape[1]]] = NEWLINE
    return characters.tobytes()


def _quoted(sentence: str) -> bytes:
    return f'"{sentence.replace(chr(34), chr(34) * 2)}"'.encode() if sentence else b""
