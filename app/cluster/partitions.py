"""Where files are cut: at the ends of lines, or between row groups."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from app.cluster.sources import Source, filesystem_of
from app.inference.files import readable
from app.inference.formats.csv import CSVReader
from app.inference.formats.lines import MAX_LINE_BYTES
from app.inference.formats.parquet import open_parquet

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of a file, which a worker scores as a whole."""

    source: Source
    index: int
    start: int  # byte, or row group
    stop: int  # a line belongs to the partition that it begins in
    header: bytes = b""  # of a CSV file, where the partition does not begin with it

    @property
    def name(self) -> str:
        """Of the file of its answers, below the directory of all answers."""
        path = PurePosixPath(self.source.name)
        return str(path.with_name(f"{path.stem}-{self.index:05d}{path.suffix}"))


def cut(source: Source, block_bytes: int) -> list[Partition]:
    """The partitions of a file, at least one, of about so many bytes each.

    Raises ScoringError where the file is none of its kind, or cannot be read.
    """
    header = b""
    with readable(source.address):
        if source.suffix == ".parquet":
            ranges = [*_row_groups(source, block_bytes)]
        else:
            ranges = [*_blocks(source.size, block_bytes)]
            header = _header(source) if source.suffix == ".csv" else b""
    return [
        Partition(source, index, start, stop, header if start else b"")
        for index, (start, stop) in enumerate(ranges)
    ]


def _blocks(size: int, block_bytes: int) -> Iterator[Range]:
    for start in range(0, max(size, 1), block_bytes):
        yield start, min(start + block_bytes, size)


def _row_groups(source: Source, block_bytes: int) -> Iterator[Range]:
    """Row groups that follow each other, together until they have the bytes (uncompressed)."""
    filesystem, path = filesystem_of(source.address)
    with filesystem.open(path, "rb") as file, open_parquet(source.address, file) as parquet:
        metadata = parquet.metadata
    start, gathered = 0, 0
    for index in range(metadata.num_row_groups):
        gathered += metadata.row_group(index).total_byte_size
        if gathered >= block_bytes:
            yield start, index + 1
            start, gathered = index + 1, 0
    if start < metadata.num_row_groups or not metadata.num_row_groups:
        yield start, metadata.num_row_groups


def _header(source: Source) -> bytes:
    """The first line of a CSV file; raises TableError where it does not have the features."""
    filesystem, path = filesystem_of(source.address)
    with filesystem.open(path, "rb") as file:
        beginning: bytes = file.read(MAX_LINE_BYTES + 1)
    header, end, _ = beginning.partition(b"\n")
    reader = CSVReader(source.address)
    for rows in (reader.feed(header + end), reader.close()):
        for _ in rows:  # there are none: what is wanted is that it is read
            pass
    return header + b"\n"
