"""Parquet files: row groups of the eight columns in, of answers out."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from app.batch.arrow_format import ANSWERS, ROWS_AT_ONCE, Sink, answers_of, require_columns, rows_of
from app.batch.scored import Scored
from app.rows import Rows
from models.csv_table import TableError
from models.features import FEATURE_NAMES


def read_parquet(path: Path) -> Iterator[Rows]:
    """The rows of a file, a part at a time.

    Raises TableError where it is no Parquet file or has other columns.
    """
    try:
        with parquet.ParquetFile(path) as file:
            require_columns(str(path), file.schema_arrow)
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=list(FEATURE_NAMES)):
                yield from rows_of(batch)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise TableError(f"{path} must be a Parquet file, however it is damaged or none") from error


class ParquetWriter:
    """A row group of answers for each part of the rows."""

    def __init__(self) -> None:
        self._sink = Sink()
        self._writer = parquet.ParquetWriter(self._sink, ANSWERS)

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
