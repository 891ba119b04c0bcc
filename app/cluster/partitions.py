"""Split files into partitions, at the ends of lines or between row groups, and read them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from fsspec.utils import seek_delimiter

from app.cluster.sources import Source
from app.cluster.storage import resolve_address
from app.inference.files import READ_BYTES, scoring_errors
from app.inference.formats.base import MAX_LINE_BYTES, Reader, Writer
from app.inference.formats.csv import CSVReader, CSVWriter
from app.inference.formats.ndjson import NDJSONReader, NDJSONWriter
from app.inference.formats.parquet import ParquetWriter, open_parquet, read_parquet
from app.inference.rows import Rows
from app.inference.scored import Scorer

Range = tuple[int, int]

SEEK_BYTES = 2**16  # read at a time while looking for the end of a line


@dataclass(frozen=True, slots=True)
class Partition:
    """A range of a file that one worker scores.

    A range of bytes holds the lines that begin after `start` and not after `stop`. The range that
    starts at 0 also holds the first line.
    """

    source: Source
    index: int
    start: int  # byte offset, or first Parquet row group
    stop: int  # byte offset, or the row group after the last
    header: bytes = b""  # first line of a CSV file, if the partition does not include it

    @property
    def name(self) -> str:
        """Path of its predictions below the output directory."""
        path = PurePosixPath(self.source.name)
        return str(path.with_name(f"{path.stem}-{self.index:05d}{path.suffix}"))


def split_source(source: Source, block_bytes: int) -> list[Partition]:
    """The partitions of a file, at least one, each of about `block_bytes`.

    Raises ScoringError if the file cannot be read or lacks the columns.
    """
    header = b""
    with scoring_errors(source.address):
        if source.format == "parquet":
            ranges = [*_row_group_ranges(source, block_bytes)]
        else:
            ranges = [*_byte_ranges(source.size, block_bytes)]
            header = _read_header(source) if source.format == "csv" else b""
    return [
        Partition(source, index, start, stop, header if start else b"")
        for index, (start, stop) in enumerate(ranges)
    ]


def _byte_ranges(size: int, block_bytes: int) -> Iterator[Range]:
    for start in range(0, max(size, 1), block_bytes):
        yield start, min(start + block_bytes, size)


def _row_group_ranges(source: Source, block_bytes: int) -> Iterator[Range]:
    """Consecutive row groups, combined until they reach `block_bytes` uncompressed."""
    with _open(source) as file, open_parquet(source.address, file) as parquet:
        metadata = parquet.metadata
    start, size = 0, 0
    for index in range(metadata.num_row_groups):
        size += metadata.row_group(index).total_byte_size
        if size >= block_bytes:
            yield start, index + 1
            start, size = index + 1, 0
    if start < metadata.num_row_groups or not metadata.num_row_groups:
        yield start, metadata.num_row_groups


def _read_header(source: Source) -> bytes:
    """The first line of a CSV file. Raises TableError if it lacks the columns."""
    with _open(source) as file:
        beginning = file.read(MAX_LINE_BYTES + 1)
    header, end_of_line, _ = beginning.partition(b"\n")
    reader = CSVReader(source.address)
    for chunks in (reader.feed(header + end_of_line), reader.close()):
        for _ in chunks:  # a header alone has no rows; reading it checks it
            pass
    return header + b"\n"


@contextmanager
def open_partition(
    partition: Partition, scorer: Scorer, *, error_column: bool
) -> Iterator[tuple[Iterator[Rows], Writer]]:
    """The rows of a partition in chunks, and a writer of their predictions.

    Reading raises TableError and OSError.
    """
    source = partition.source
    with _open(source) as file:
        if source.format == "parquet":
            row_groups = range(partition.start, partition.stop)
            yield read_parquet(source.address, file, row_groups), ParquetWriter()
        elif source.format == "csv":
            chunks = _read_lines(file, partition, CSVReader(source.address))
            yield chunks, CSVWriter(errors=error_column)
        else:
            yield _read_lines(file, partition, NDJSONReader()), NDJSONWriter(scorer)


@contextmanager
def _open(source: Source) -> Iterator[BinaryIO]:
    filesystem, path = resolve_address(source.address)
    with filesystem.open(path, "rb") as file:
        yield file


def _read_lines(file: BinaryIO, partition: Partition, reader: Reader) -> Iterator[Rows]:
    """The rows of the partition's lines."""
    yield from reader.feed(partition.header)
    position = _after_line_end(file, partition.start)
    stop = _after_line_end(file, partition.stop)
    file.seek(position)
    while data := file.read(min(READ_BYTES, stop - position)):
        position += len(data)
        yield from reader.feed(data)
    yield from reader.close()


def _after_line_end(file: BinaryIO, position: int) -> int:
    """The position after the first line end at or after this one; 0 for the start of the file."""
    file.seek(position)
    seek_delimiter(file, b"\n", SEEK_BYTES)
    return file.tell()
