"""Parquet files: row groups of the eight columns in, of answers out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
from pyarrow import parquet

from app.inference.formats.arrow import (
    ANSWERS,
    ROWS_AT_ONCE,
    Sink,
    answers_of,
    require_columns,
    rows_of,
)
from app.inference.rows import Rows
from app.inference.scored import Scored
from models.csv_table import TableError
from models.features import FEATURE_NAMES


def read_parquet(
    name: str, source: Path | BinaryIO, row_groups: Sequence[int] | None = None
) -> Iterator[Rows]:
    """The rows of a file, or of some of its row groups, a part at a time; the name is the file's.

    Raises TableError where it is no Parquet file or has other columns.
    """
    with open_parquet(name, source) as file:
        columns = list(FEATURE_NAMES)
        for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=row_groups, columns=columns):
            yield from rows_of(batch)


@contextmanager
def open_parquet(name: str, source: Path | BinaryIO) -> Iterator[parquet.ParquetFile]:
    """A file of the eight columns; what goes wrong with it meanwhile becomes a TableError."""
    try:
        with parquet.ParquetFile(source) as file:
            require_columns(name, file.schema_arrow)
            yield file
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise TableError(f"{name} must be a Parquet file, however it is damaged or none") from error


class ParquetWriter:
    """A row group of answers for each part of the rows."""

    warns = False

    def __init__(self) -> None:
        self._sink = Sink()
        self._writer = parquet.ParquetWriter(self._sink, ANSWERS, use_dictionary=["error"])

    def start(self) -> bytes:
        """What comes before all answers."""
        return self._sink.take()

    def write(self, scored: Scored) -> bytes:
        """The answers to some rows."""
        self._writer.write_batch(answers_of(scored))
        return self._sink.take()

    def end(self) -> bytes:
        """Where each row group is."""
        self._writer.close()
        return self._sink.take()
