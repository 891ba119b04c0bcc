"""Numbers from a CSV file with a header, or one sentence that says which cell is not one."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from models.arrays import FloatArray


class TableError(Exception):
    """A table cannot be read as numbers; names the file, the column and the line."""


class Table(NamedTuple):
    """The wanted columns of a CSV file."""

    columns: Sequence[str]
    values: FloatArray  # (n, columns)
    lines: Sequence[int]  # (n,), each row's line in the file, from 1


def parse_csv_table(name: str, content: bytes, *alternatives: Sequence[str]) -> Table:
    """The columns of the first alternative that the header has in full, in the alternative's order.

    Other columns are left out, blank lines are passed over. The name is the file's, for the
    messages. Raises TableError where a column is missing or there twice, a line is ragged, or a
    cell is not a finite number.
    """
    try:
        return _parse(name, content.decode("utf-8-sig"), alternatives)
    except UnicodeDecodeError as error:
        raise TableError(
            f"{name} must be CSV in UTF-8, however it is not at byte {error.start}"
        ) from error
    except csv.Error as error:  # its message depends on the Python version
        raise TableError(f"{name} must be CSV in UTF-8, however it is malformed") from error


def _parse(name: str, text: str, alternatives: Sequence[Sequence[str]]) -> Table:
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [column.strip() for column in next(reader, [])]
    if not header:
        raise TableError(f"{name} must have a header, however it is empty")
    columns = choose_columns(f"{name}, line 1: the header", header, alternatives)
    positions = [header.index(column) for column in columns]
    values: list[list[float]] = []
    lines: list[int] = []
    for cells in reader:
        if not cells:
            continue
        where = f"{name}, line {reader.line_num}"
        if len(cells) != len(header):
            raise TableError(
                f"{where}: must have {len(header)} cells like the header, however: {len(cells)}"
            )
        values.append(list(_numbers(where, columns, (cells[p] for p in positions))))
        lines.append(reader.line_num)
    return Table(columns, np.array(values).reshape(-1, len(columns)), lines)


def choose_columns(
    where: str, header: Sequence[str], alternatives: Sequence[Sequence[str]]
) -> Sequence[str]:
    """The first of the alternatives that comes nearest to a header, which must have it in full.

    Raises TableError where a column of it is missing or there twice, or others than commas stand
    between them.
    """
    columns = max(alternatives, key=lambda columns: _likeness(header, columns))
    if len(header) == 1:
        _require_commas(where, header[0])
    absent = [column for column in columns if column not in header]
    if absent:
        raise TableError(
            f"{where} must have the column {absent[0]}, however {_came(absent[0], header)}"
            + (f" (with {', '.join(absent[1:])})" if absent[1:] else "")
        )
    for column in columns:
        if header.count(column) > 1:
            raise TableError(
                f"{where} must have the column {column} once, "
                f"however it is there {header.count(column)} times"
            )
    return columns


def _require_commas(where: str, header: str) -> None:
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if separator in header:
            raise TableError(f"{where} must have commas between its columns, however {name} came")


def _came(column: str, header: Sequence[str]) -> str:
    """What came in place of an absent column."""
    alike = [name for name in header if name.lower() == column.lower()]
    return f"it is written {alike[0]}" if alike else "it is missing"


def _likeness(header: Sequence[str], columns: Sequence[str]) -> float:
    """The share of the columns that the header has, whatever their case."""
    folded = {column.lower() for column in header}
    return sum(column.lower() in folded for column in columns) / len(columns)


def _numbers(where: str, columns: Sequence[str], cells: Iterable[str]) -> Iterator[float]:
    for column, cell in zip(columns, cells, strict=True):
        number = to_number(cell)
        if not math.isfinite(number):
            raise TableError(
                f"{where}, column {column}: must be a finite number, however: {cell[:40]!r}"
            )
        yield number


def to_number(cell: str) -> float:
    """The number in a cell; NaN where there is none."""
    try:
        # float() reads 1_0 as 10, and the digits of other scripts.
        return float(cell) if cell.isascii() and "_" not in cell else math.nan
    except ValueError:
        return math.nan
