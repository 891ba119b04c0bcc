"""Parquet files: row groups of the eight columns in, of predictions out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
from pyarrow import parquet

from app.inference.formats.arrow import (
    PREDICTION_SCHEMA,
    ROWS_AT_ONCE,
    Sink,
    read_record_batch,
    require_columns,
    to_record_batch,
)
from app.inference.rows import Rows
from app.inference.scored import Scored
from models.csv_table import TableError
from models.features import FEATURE_NAMES


def read_parquet(
    name: str, source: Path | BinaryIO, row_groups: Sequence[int] | None = None
) -> Iterator[Rows]:
    """Return the rows of a file, or of some of its row groups, in chunks.

    The name is the file's, for messages. Raises TableError if it is not a Parquet file or has other
    columns.
    """
    with open_parquet(name, source) as file:
        columns = list(FEATURE_NAMES)
        for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=row_groups, columns=columns):
            yield from read_record_batch(batch)


@contextmanager
def open_parquet(name: str, source: Path | BinaryIO) -> Iterator[parquet.ParquetFile]:
    """Open a file of the eight columns. Errors of Arrow inside the context become TableError."""
    try:
        with parquet.ParquetFile(source) as file:
            require_columns(name, file.schema_arrow)
            yield file
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise TableError(f"{name} must be a Parquet file, got damaged or other data") from error


class ParquetWriter:
    """Writes a row group of predictions for each chunk of rows."""

    with_warnings = False

    def __init__(self) -> None:
        self._sink = Sink()
        self._writer = parquet.ParquetWriter(
            self._sink, PREDICTION_SCHEMA, use_dictionary=["error"]
        )

    def start(self) -> bytes:
        """Return the magic number."""
        return self._sink.take()

    def write(self, scored: Scored) -> bytes:
        """Return a row group."""
        self._writer.write_batch(to_record_batch(scored))
        return self._sink.take()

    def end(self) -> bytes:
        """Return the footer."""
        self._writer.close()
        return self._sink.take()
