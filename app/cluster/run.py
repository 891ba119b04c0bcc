"""A run: split the files, skip completed partitions, score the others, add up the results."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Never

from distributed import Client, Future, as_completed
from tqdm import tqdm

from app.cluster import ClusterError
from app.cluster.client import connect, dask_errors
from app.cluster.model_payload import ModelPayload
from app.cluster.outputs import Job, Receipt
from app.cluster.partitions import Partition, split_source
from app.cluster.resume import (
    completed_partitions,
    make_directories,
    remove_outdated,
    remove_partial_files,
)
from app.cluster.score_partition import score_partition
from app.cluster.sources import Source, find_sources
from app.cluster.storage import address_of, resolve_address, storage_errors
from app.inference.files import MAX_REPORTED_ERRORS

RETRIES = 2  # of a task that fails, because storage may fail for a moment


@dataclass(slots=True)
class Totals:
    """Counts of a run."""

    partitions: int
    skipped: int  # partitions that an earlier run completed
    seconds: float
    rows: int = 0
    rejected: int = 0
    first_errors: list[tuple[str, int, str]] = field(default_factory=list)
    """Address, row number from 1 in that file, and reason of the first rejected rows."""

    def __str__(self) -> str:
        scored = self.partitions - self.skipped
        return (
            f"{self.rows:,} rows, {self.rejected:,} rejected; {self.partitions:,} partitions, "
            f"{scored:,} scored and {self.skipped:,} skipped; {self.seconds:.1f} seconds"
        )


def score_on_cluster(
    pattern: str,
    output: str,
    payload: ModelPayload,
    *,
    level: float,
    error_column: bool,
    cluster: str,
    block_bytes: int,
) -> Totals:
    """Score all files that a pattern matches into an output directory; both may be fsspec URLs.

    `cluster` is the address of a Dask scheduler, or `local`.
    Raises ClusterError, ScoringError and SavedModelError.
    """
    began = time.monotonic()
    sources = find_sources(pattern)
    with storage_errors(output):
        job = Job(address_of(*resolve_address(output)), payload.identity, level, error_column)
    _require_separate_output(sources, job.output)
    with connect(cluster) as client, dask_errors():
        partitions = _split(client, sources, block_bytes)
        with storage_errors(output):
            make_directories(job, partitions)
            completed = completed_partitions(job, partitions)
            remove_outdated(job, partitions, completed)
        missing = [partition for partition in partitions if partition.name not in completed]
        receipts = completed | _score(client, missing, job, payload)
    return _total(partitions, receipts, len(completed), time.monotonic() - began)


def _require_separate_output(sources: Sequence[Source], output: str) -> None:
    """Raise ClusterError if a later run would read predictions as input."""
    for source in sources:
        if source.address.startswith(f"{output}/"):
            raise ClusterError(
                f"--output must be a directory without input files, got one with {source.address}"
            )


def _split(client: Client, sources: Sequence[Source], block_bytes: int) -> list[Partition]:
    futures = client.map(
        split_source, sources, block_bytes=block_bytes, retries=RETRIES, pure=False
    )
    return [*chain.from_iterable(client.gather(futures))]


def _score(
    client: Client, partitions: Sequence[Partition], job: Job, payload: ModelPayload
) -> dict[str, Receipt]:
    """Receipts by partition name. Removes partial files, also after a failure."""
    if not partitions:
        return {}
    # A task of its own, so that the files travel once and not with each partition.
    model = client.submit(
        ModelPayload, payload.name, payload.sha256, payload.files, payload.versions, pure=False
    )
    futures = client.map(
        score_partition, partitions, job=job, payload=model, retries=RETRIES, pure=False
    )
    names = {future.key: each.name for future, each in zip(futures, partitions, strict=True)}
    try:
        return {names[future.key]: future.result() for future in _with_progress(futures)}
    finally:
        client.cancel([*futures, model])
        with storage_errors(job.output):
            remove_partial_files(job, partitions)


def _with_progress(futures: Sequence["Future[Receipt]"]) -> Iterator["Future[Receipt]"]:
    """The futures in the order of completion, with a progress bar in a terminal."""
    bar: tqdm[Never] = tqdm(
        desc="scoring", total=len(futures), unit="partition", leave=False, disable=None
    )
    with bar:
        for future in as_completed(futures):
            yield future
            bar.update()


def _total(
    partitions: Sequence[Partition], receipts: dict[str, Receipt], skipped: int, seconds: float
) -> Totals:
    totals = Totals(len(partitions), skipped, seconds)
    rows_before: dict[str, int] = {}  # by source: rows of its earlier partitions
    for partition in partitions:
        receipt, address = receipts[partition.name], partition.source.address
        offset = rows_before.get(address, 0)
        for row, reason in receipt.first_errors[: MAX_REPORTED_ERRORS - len(totals.first_errors)]:
            totals.first_errors.append((address, offset + row, reason))
        rows_before[address] = offset + receipt.rows
        totals.rows += receipt.rows
        totals.rejected += receipt.rejected
    return totals
