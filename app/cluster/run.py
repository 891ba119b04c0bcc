"""A run: cut the files, leave out what is done, have the rest scored, add it up."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Never

from distributed import Client, Future, KilledWorker, as_completed
from tqdm import tqdm

from app.cluster.connect import connected
from app.cluster.errors import ClusterError
from app.cluster.job import Job
from app.cluster.model_payload import ModelPayload
from app.cluster.partitions import Partition, cut
from app.cluster.receipts import Receipt
from app.cluster.resume import clear, completed_partitions, make_directories, sweep
from app.cluster.score_partition import score_partition
from app.cluster.sources import Source, address_of, filesystem_of, reachable, sources_of
from app.inference.files import MAX_REASONS

RETRIES = 2  # of a partition whose storage failed


@dataclass(slots=True)
class Totals:
    """What became of all rows."""

    partitions: int
    skipped: int  # partitions that an earlier run had done
    seconds: float
    rows: int = 0
    refused: int = 0
    reasons: list[tuple[str, int, str]] = field(default_factory=list)
    """The first of the rows that are refused: address, number from 1 in that file, and why."""

    def __str__(self) -> str:
        done = self.partitions - self.skipped
        return (
            f"{self.rows:,} rows, {self.refused:,} of them refused; {self.partitions:,} "
            f"partitions, {done:,} done and {self.skipped:,} skipped; {self.seconds:.1f} seconds"
        )


def score_on_cluster(
    pattern: str,
    output: str,
    sent: ModelPayload,
    *,
    level: float,
    errors: bool,
    cluster: str,
    block_bytes: int,
) -> Totals:
    """Score all files of a pattern into a directory; both may be addresses of fsspec's.

    Raises ClusterError, ScoringError of app.score_file, and SavedModelError.
    """
    began = time.monotonic()
    sources = sources_of(pattern)
    with reachable(output):
        job = Job(address_of(*filesystem_of(output)), sent.identity, level, errors)
    _require_apart(sources, job.output)
    with connected(cluster) as client, _told():
        partitions = _cut(client, sources, block_bytes)
        with reachable(output):
            make_directories(job, partitions)
            done = completed_partitions(job, partitions)
            clear(job, partitions, done)
        missing = [partition for partition in partitions if partition.name not in done]
        receipts = done | _score(client, missing, job, sent)
    return _add_up(partitions, receipts, len(done), time.monotonic() - began)


def _require_apart(sources: Sequence[Source], output: str) -> None:
    """Raise ClusterError where a later run would take answers for rows."""
    for source in sources:
        if source.address.startswith(f"{output}/"):
            raise ClusterError(
                f"--output must be a directory apart, however {source.address} is read from it"
            )


def _cut(client: Client, sources: Sequence[Source], block_bytes: int) -> list[Partition]:
    futures = client.map(cut, sources, block_bytes=block_bytes, retries=RETRIES, pure=False)
    return [*chain.from_iterable(client.gather(futures))]


def _score(
    client: Client, partitions: Sequence[Partition], job: Job, sent: ModelPayload
) -> dict[str, Receipt]:
    """The receipts of partitions, by name; half-written files do not outlive it."""
    if not partitions:
        return {}
    model = client.submit(
        ModelPayload, sent.name, sent.sha256, sent.files, sent.versions, pure=False
    )
    futures = client.map(
        score_partition, partitions, job=job, sent=model, retries=RETRIES, pure=False
    )
    names = {future.key: each.name for future, each in zip(futures, partitions, strict=True)}
    try:
        return {names[future.key]: future.result() for future in _watched(futures)}
    finally:
        client.cancel([*futures, model])
        with reachable(job.output):
            sweep(job, partitions)


def _watched(futures: Sequence["Future[Receipt]"]) -> Iterator["Future[Receipt]"]:
    """The futures, as they are done, and a bar where someone is watching."""
    with _bar(len(futures)) as bar:
        for future in as_completed(futures):
            yield future
            bar.update()


def _bar(total: int) -> "tqdm[Never]":
    return tqdm(desc="scoring", total=total, unit="partition", leave=False, disable=None)


@contextmanager
def _told() -> Iterator[None]:
    """What only Dask can know becomes a ClusterError."""
    try:
        yield
    except KilledWorker as error:
        raise ClusterError(
            "the workers must outlive a partition, however several of them died of the same; "
            "give them more memory, or --block-mib less"
        ) from error
    except (CancelledError, OSError) as error:  # what workers raise of the kind has a sentence
        raise ClusterError(
            "the scheduler must stay within reach, however it has gone; run the same again, and "
            "what is done stays done"
        ) from error
    except (ImportError, RuntimeError) as error:  # as it is told, by whoever has to unpack the work
        raise ClusterError(
            "the scheduler and the workers must have this project installed as it is here, with "
            f"the extra `cluster`, however: {str(error).partition('. ')[0]}"
        ) from error


def _add_up(
    partitions: Sequence[Partition], receipts: dict[str, Receipt], skipped: int, seconds: float
) -> Totals:
    totals = Totals(len(partitions), skipped, seconds)
    before: dict[str, int] = {}  # rows of a source, in the partitions so far
    for partition in partitions:
        receipt, address = receipts[partition.name], partition.source.address
        first = before.get(address, 0)
        for row, reason in receipt.reasons[: MAX_REASONS - len(totals.reasons)]:
            totals.reasons.append((address, first + row, reason))
        before[address] = first + receipt.rows
        totals.rows += receipt.rows
        totals.refused += receipt.refused
    return totals
