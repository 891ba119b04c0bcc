"""Score a file of rows without a server: the same features, bounds and answers as over HTTP."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Never

from tqdm import tqdm

from app.inference.formats.base import Reader, Writer
from app.inference.formats.csv import CSVReader, CSVWriter
from app.inference.formats.ndjson import NDJSONReader, NDJSONWriter
from app.inference.rows import Rows
from app.inference.scored import Scorer
from models.csv_table import TableError

PIECE_BYTES = 1024 * 1024
MAX_REASONS = 20


class ScoringError(Exception):
    """A file cannot be scored; names the file and what was required of it."""


@dataclass(slots=True)
class Summary:
    """What became of the rows of a file."""

    rows: int = 0
    refused: int = 0
    reasons: list[tuple[int, str]] = field(default_factory=list)
    """The first of the rows that are refused, by their numbers from 1, and why."""

    def add(self, rows: Rows) -> None:
        """Count some more rows."""
        for index, reason in sorted(rows.refused.items())[: MAX_REASONS - len(self.reasons)]:
            self.reasons.append((self.rows + index + 1, reason))
        self.rows += len(rows)
        self.refused += len(rows.refused)


async def score_file(
    path: Path, scorer: Scorer, output: BinaryIO, *, errors: bool = False
) -> Summary:
    """Write an answer for each row of a CSV, NDJSON or Parquet file, in the file's own format.

    `errors` adds the column `error` to CSV; the others tell it as they are.
    Raises ScoringError where the file cannot be read, OSError where the output cannot be written.
    """
    open_source = source_by_suffix.get(path.suffix.lower())
    if open_source is None:
        raise ScoringError(
            f"{path} must be named {', '.join(f'*{suffix}' for suffix in source_by_suffix)}, "
            "however it is not"
        )
    parts, writer = open_source(path, scorer, errors)
    parts = read_all(str(path), parts)
    first = [*islice(parts, 1)]  # before anything is written: the file may be none of its kind
    return await score_parts(chain(first, parts), scorer, writer, output)


def require_same_format(path: Path, output: Path) -> None:
    """Raise ScoringError where the output is named as another format than the file's is."""
    formats = [source_by_suffix.get(file.suffix.lower()) for file in (path, output)]
    if None not in formats and formats[0] is not formats[1]:
        raise ScoringError(
            f"{output} must be in the file's own format, *{path.suffix}, "
            f"however it is named *{output.suffix}"
        )


async def score_parts(
    parts: Iterable[Rows], scorer: Scorer, writer: Writer, output: BinaryIO
) -> Summary:
    """Write an answer for each row; raises what its parts raise, and OSError."""
    summary = Summary()
    output.write(writer.start())
    for rows in parts:
        output.write(writer.write(await scorer.score(rows, warns=writer.warns)))
        summary.add(rows)
    output.write(writer.end())
    return summary


Source = tuple[Iterator[Rows], Writer]
"""The rows of a file, a part at a time, and what writes their answers."""


def _open_csv(path: Path, _scorer: Scorer, errors: bool) -> Source:  # noqa: FBT001
    return _read_text(path, CSVReader(str(path))), CSVWriter(errors=errors)


def _open_ndjson(path: Path, scorer: Scorer, _errors: bool) -> Source:  # noqa: FBT001
    return _read_text(path, NDJSONReader()), NDJSONWriter(scorer)


def _open_parquet(path: Path, _scorer: Scorer, _errors: bool) -> Source:  # noqa: FBT001
    try:
        from app.inference.formats.parquet import ParquetWriter, read_parquet  # noqa: PLC0415  # an extra
    except ModuleNotFoundError as error:
        raise ScoringError(
            f"for {path} the extra `arrow` must be installed, however it is not"
        ) from error
    return _watched(read_parquet(str(path), path)), ParquetWriter()


source_by_suffix = {
    ".csv": _open_csv,
    ".ndjson": _open_ndjson,
    ".jsonl": _open_ndjson,
    ".parquet": _open_parquet,
}


@contextmanager
def readable(name: str) -> Iterator[None]:
    """What keeps a file from being read meanwhile becomes a ScoringError."""
    try:
        yield
    except TableError as error:
        raise ScoringError(str(error)) from error
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "it is damaged"
        raise ScoringError(f"{name} must be a readable file, however: {reason}") from error


def read_all(name: str, parts: Iterator[Rows]) -> Iterator[Rows]:
    """The same parts; raises ScoringError where the file of that name cannot be read."""
    with readable(name):
        yield from parts


def _read_text(path: Path, reader: Reader) -> Iterator[Rows]:
    with path.open("rb") as file, _bar(path.stat().st_size, "B") as bar:
        while piece := file.read(PIECE_BYTES):
            yield from reader.feed(piece)
            bar.update(len(piece))
        yield from reader.close()


def _watched(parts: Iterator[Rows]) -> Iterator[Rows]:
    with _bar(None, "rows") as bar:
        for rows in parts:
            yield rows
            bar.update(len(rows))


def _bar(total: int | None, unit: str) -> "tqdm[Never]":
    """A progress bar on standard error, where someone is watching."""
    return tqdm(desc="scoring", total=total, unit=unit, unit_scale=True, leave=False, disable=None)
