"""Read numbers from a CSV file with a header; an error names the line and the column."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from models.arrays import FloatArray


class TableError(Exception):
    """A table is not valid; the message names the file, and if known the line and the column."""


class Table(NamedTuple):
    """The selected columns of a CSV file."""

    columns: Sequence[str]
    values: FloatArray  # (n, columns)
    lines: Sequence[int]  # (n,), each row's line in the file, from 1


def parse_csv_table(name: str, content: bytes, *alternatives: Sequence[str]) -> Table:
    """Parse the columns of the alternative that the header matches best, in its order.

    Other columns and blank lines are ignored. The file's name is for messages. Raises
    TableError if a column is missing or repeated, a line has another number of cells than the
    header, or a cell is not a finite number.
    """
    try:
        return _parse(name, content.decode("utf-8-sig"), alternatives)
    except UnicodeDecodeError as error:
        raise TableError(
            f"{name} must be CSV in UTF-8, got another byte at {error.start}"
        ) from error
    except csv.Error as error:  # its message depends on the Python version
        raise TableError(f"{name} must be CSV in UTF-8, got malformed CSV") from error


def _parse(name: str, text: str, alternatives: Sequence[Sequence[str]]) -> Table:
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [column.strip() for column in next(reader, [])]
    if not header:
        expected = ", ".join(alternatives[0][:2])
        raise TableError(f"{name} is empty; expected a header line with {expected}, ...")
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
                f"{where}: must have {len(header)} cells like the header, got {len(cells)}"
            )
        values.append(list(_numbers(where, columns, (cells[p] for p in positions))))
        lines.append(reader.line_num)
    return Table(columns, np.array(values).reshape(-1, len(columns)), lines)


def choose_columns(
    where: str, header: Sequence[str], alternatives: Sequence[Sequence[str]]
) -> Sequence[str]:
    """Return the alternative whose columns a header matches best; it must have all of them.

    Raises TableError if a column is missing or repeated, or the separator is not a comma.
    """
    columns = max(alternatives, key=lambda columns: _match(header, columns))
    if len(header) == 1:
        _require_commas(where, header[0])
    missing = [column for column in columns if column not in header]
    if missing:
        raise TableError(
            f"{where} must have the column {missing[0]}, {_found(missing[0], header)}"
            + (f" (also missing: {', '.join(missing[1:])})" if missing[1:] else "")
        )
    for column in columns:
        if header.count(column) > 1:
            raise TableError(
                f"{where} must have the column {column} once, got it {header.count(column)} times"
            )
    return columns


def _require_commas(where: str, header: str) -> None:
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")):
        if separator in header:
            raise TableError(f"{where} must have commas between its columns, got {name}")


def _found(column: str, header: Sequence[str]) -> str:
    """Describe what the header has in place of a missing column."""
    similar = [name for name in header if name.lower() == column.lower()]
    return f"got {similar[0]}" if similar else "but it is missing"


def _match(header: Sequence[str], columns: Sequence[str]) -> float:
    """Return the share of the columns that the header has, ignoring case."""
    folded = {column.lower() for column in header}
    return sum(column.lower() in folded for column in columns) / len(columns)


def _numbers(where: str, columns: Sequence[str], cells: Iterable[str]) -> Iterator[float]:
    for column, cell in zip(columns, cells, strict=True):
        number = to_number(cell)
        if not math.isfinite(number):
            raise TableError(
                f"{where}, column {column}: must be a finite number, got {cell[:40]!r}"
            )
        yield number


def to_number(cell: str) -> float:
    """Return the number in a cell, or NaN if it is not a number."""
    try:
        # float() reads 1_0 as 10, and the digits of other scripts.
        return float(cell) if cell.isascii() and "_" not in cell else math.nan
    except ValueError:
        return math.nan
