"""Score a file without a server, with the parsing, bounds and predictions of the HTTP service."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Literal, Never

from tqdm import tqdm

from app.inference.formats.base import Reader, Writer
from app.inference.formats.csv import CSVReader, CSVWriter
from app.inference.formats.ndjson import NDJSONReader, NDJSONWriter
from app.inference.rows import Rows
from app.inference.scored import Scorer
from models.csv_table import TableError

READ_BYTES = 1024 * 1024
MAX_REPORTED_ERRORS = 20

Format = Literal["csv", "ndjson", "parquet"]

FORMAT_BY_SUFFIX: dict[str, Format] = {
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
}


class ScoringError(Exception):
    """A file cannot be scored; the message names the file and the requirement."""


@dataclass(slots=True)
class Summary:
    """Row counts of a scored file."""

    rows: int = 0
    rejected: int = 0
    first_errors: list[tuple[int, str]] = field(default_factory=list)
    """Row number, from 1, and reason of the first rejected rows."""

    def add(self, chunk: Rows) -> None:
        """Count the rows of the next chunk."""
        room = MAX_REPORTED_ERRORS - len(self.first_errors)
        for index, reason in sorted(chunk.errors.items())[:room]:
            self.first_errors.append((self.rows + index + 1, str(reason)))
        self.rows += len(chunk)
        self.rejected += len(chunk.errors)


async def score_file(
    path: Path, scorer: Scorer, output: BinaryIO, *, error_column: bool = False
) -> Summary:
    """Write a prediction for each row of a CSV, NDJSON or Parquet file, in the file's own format.

    `error_column` adds the column `error` to CSV; the other formats always report errors.
    Raises ScoringError if the file cannot be read, and OSError if the output cannot be written.
    """
    chunks, writer = _open(path, scorer, error_column=error_column)
    chunks = _with_scoring_errors(str(path), chunks)
    first = [*islice(chunks, 1)]  # read before writing: an invalid file leaves no output
    return await score_chunks(chain(first, chunks), scorer, writer, output)


async def score_chunks(
    chunks: Iterable[Rows], scorer: Scorer, writer: Writer, output: BinaryIO
) -> Summary:
    """Write a prediction for each row. Raises OSError, and the errors that `chunks` raises."""
    summary = Summary()
    output.write(writer.start())
    for chunk in chunks:
        output.write(writer.write(await scorer.score(chunk, with_warnings=writer.with_warnings)))
        summary.add(chunk)
    output.write(writer.end())
    return summary


def require_same_format(path: Path, output: Path) -> None:
    """Raise ScoringError if the suffix of the output names another format than the input's."""
    required, given = (FORMAT_BY_SUFFIX.get(file.suffix.lower()) for file in (path, output))
    if required and given and required != given:
        raise ScoringError(
            f"{output} must have the format of the input, *{path.suffix}, got *{output.suffix}"
        )


def require_format(name: str, suffix: str) -> Format:
    """Return the format of a file with this suffix. Raises ScoringError if it is unknown."""
    if suffix.lower() not in FORMAT_BY_SUFFIX:
        *others, last = (f"*{known}" for known in FORMAT_BY_SUFFIX)
        raise ScoringError(
            f"{name} must be named {', '.join(others)} or {last}, got {suffix or 'no suffix'}"
        )
    return FORMAT_BY_SUFFIX[suffix.lower()]


@contextmanager
def scoring_errors(name: str) -> Iterator[None]:
    """Turn the errors of reading the named file into ScoringError."""
    try:
        yield
    except TableError as error:
        raise ScoringError(str(error)) from error
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "it is damaged"
        raise ScoringError(f"{name} must be a readable file: {reason}") from error


def _with_scoring_errors(name: str, chunks: Iterator[Rows]) -> Iterator[Rows]:
    with scoring_errors(name):
        yield from chunks


def _open(path: Path, scorer: Scorer, *, error_column: bool) -> tuple[Iterator[Rows], Writer]:
    file_format = require_format(str(path), path.suffix)
    if file_format == "csv":
        return _read_text(path, CSVReader(str(path))), CSVWriter(errors=error_column)
    if file_format == "ndjson":
        return _read_text(path, NDJSONReader()), NDJSONWriter(scorer)
    try:
        from app.inference.formats.parquet import ParquetWriter, read_parquet  # noqa: PLC0415  # an extra
    except ModuleNotFoundError as error:
        raise ScoringError(
            f"{path} needs the extra `arrow`. Install it with make .venv/arrow."
        ) from error
    return _with_progress(read_parquet(str(path), path)), ParquetWriter()


def _read_text(path: Path, reader: Reader) -> Iterator[Rows]:
    with path.open("rb") as file, _progress_bar(path.stat().st_size, "B") as bar:
        while data := file.read(READ_BYTES):
            yield from reader.feed(data)
            bar.update(len(data))
        yield from reader.close()


def _with_progress(chunks: Iterator[Rows]) -> Iterator[Rows]:
    with _progress_bar(None, "rows") as bar:
        for chunk in chunks:
            yield chunk
            bar.update(len(chunk))


def _progress_bar(total: int | None, unit: str) -> "tqdm[Never]":
    """Return a progress bar on standard error, shown only in a terminal."""
    return tqdm(desc="scoring", total=total, unit=unit, unit_scale=True, leave=False, disable=None)
