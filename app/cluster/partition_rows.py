"""The rows of a partition, and what writes their answers: as of a file that is scored alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from fsspec.utils import seek_delimiter

from app.cluster.partitions import Partition
from app.cluster.sources import filesystem_of
from app.inference.files import PIECE_BYTES, Source, read_all
from app.inference.formats.base import Reader
from app.inference.formats.csv import CSVReader, CSVWriter
from app.inference.formats.ndjson import NDJSONReader, NDJSONWriter
from app.inference.formats.parquet import ParquetWriter, read_parquet
from app.inference.rows import Rows
from app.inference.scored import Scorer

LOOK_AHEAD_BYTES = 2**16


@contextmanager
def open_partition(partition: Partition, scorer: Scorer, *, errors: bool) -> Iterator[Source]:
    """Its rows, whose reading raises ScoringError, and a writer."""
    source = partition.source
    filesystem, path = filesystem_of(source.address)
    with filesystem.open(path, "rb") as file:
        parts, writer = _open(file, partition, scorer, errors)
        yield read_all(source.address, parts), writer


def _open(file: BinaryIO, partition: Partition, scorer: Scorer, errors: bool) -> Source:  # noqa: FBT001
    address = partition.source.address
    if partition.source.suffix == ".parquet":
        groups = range(partition.start, partition.stop)
        return read_parquet(address, file, groups), ParquetWriter()
    if partition.source.suffix == ".csv":
        return _read_lines(file, partition, CSVReader(address)), CSVWriter(errors=errors)
    return _read_lines(file, partition, NDJSONReader()), NDJSONWriter(scorer)


def _read_lines(file: BinaryIO, partition: Partition, reader: Reader) -> Iterator[Rows]:
    """The rows of the lines that begin in a partition."""
    yield from reader.feed(partition.header)
    place, stop = (_next_line(file, place) for place in (partition.start, partition.stop))
    file.seek(place)
    while piece := file.read(min(PIECE_BYTES, stop - place)):
        place += len(piece)
        yield from reader.feed(piece)
    yield from reader.close()


def _next_line(file: BinaryIO, place: int) -> int:
    """Where the first line that ends at a byte or after it has ended; 0 is a start as it is."""
    file.seek(place)
    seek_delimiter(file, b"\n", LOOK_AHEAD_BYTES)
    return file.tell()
