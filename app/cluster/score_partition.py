"""The task of a worker: score a partition and write its output files."""

import asyncio
import csv
import io
from collections.abc import Iterator

from distributed import get_worker

from app.cluster.model_payload import ModelPayload, unpack
from app.cluster.outputs import Job, OutputPaths, Receipt, inputs_of
from app.cluster.partitions import Partition, open_partition
from app.cluster.storage import resolve_address, storage_errors, write_atomically
from app.inference.files import score_chunks, scoring_errors
from app.inference.rows import Rows
from app.inference.scheduler import whole_batches
from app.inference.scored import Scorer


class RunEndedError(Exception):
    """The run that needs the partition has ended."""


class RejectedRows:
    """CSV of `row,reason`, where `row` is the row number from 1 within the partition."""

    def __init__(self) -> None:
        self._rows = 0
        self._text = io.StringIO()
        self._lines = csv.writer(self._text, lineterminator="\n")

    def record(self, chunks: Iterator[Rows]) -> Iterator[Rows]:
        """Pass the chunks through and record their rejected rows."""
        for chunk in chunks:
            for index, reason in sorted(chunk.errors.items()):
                self._lines.writerow((self._rows + index + 1, reason))
            self._rows += len(chunk)
            yield chunk

    def to_bytes(self) -> bytes:
        """The content of the file; empty if no row was rejected."""
        lines = self._text.getvalue()
        return f"row,reason\n{lines}".encode() if lines else b""


def score_partition(partition: Partition, job: Job, payload: ModelPayload) -> Receipt:
    """Score a partition and write its output files.

    Raises ScoringError if it cannot be read, ClusterError if the output cannot be written,
    SavedModelError if the model is damaged, and RunEndedError if the run no longer needs it.
    """
    model = unpack(payload)
    scorer = Scorer(model, job.level, whole_batches(model.saved.model))
    predictions, rejected = io.BytesIO(), RejectedRows()
    with (
        scoring_errors(partition.source.address),
        open_partition(partition, scorer, error_column=job.error_column) as (chunks, writer),
    ):
        recorded = rejected.record(_until_cancelled(chunks))
        summary = asyncio.run(score_chunks(recorded, scorer, writer, predictions))
    receipt = Receipt(
        inputs_of(job, partition),
        summary.rows,
        summary.rejected,
        summary.first_errors,
        predictions.getbuffer().nbytes,
    )
    _write(job, partition, predictions.getvalue(), rejected.to_bytes(), receipt)
    return receipt


def _until_cancelled(chunks: Iterator[Rows]) -> Iterator[Rows]:
    """Pass the chunks through; raise RunEndedError once the scheduler has cancelled the task.

    Dask cannot stop a running task. Without this check, an abandoned task would occupy the worker
    and later overwrite the files of a new run.
    """
    worker = get_worker()
    key = worker.get_current_task()
    for chunk in chunks:
        yield chunk
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            raise RunEndedError


def _write(
    job: Job, partition: Partition, predictions: bytes, rejected: bytes, receipt: Receipt
) -> None:
    """Write the receipt last: a partition with a receipt is complete."""
    paths = OutputPaths.of(job, partition.name)
    with storage_errors(paths.predictions):
        filesystem, _ = resolve_address(job.output)
        write_atomically(filesystem, paths.predictions, predictions)
        if rejected:
            write_atomically(filesystem, paths.rejected, rejected)
        write_atomically(filesystem, paths.receipt, receipt.to_bytes())
