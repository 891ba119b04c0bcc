"""What a worker does: score a partition, and leave its answers whole or not at all."""

import asyncio
import io
from collections.abc import Iterator

from distributed import get_worker

from app.cluster.atomic_files import write_whole
from app.cluster.job import Job, Outputs
from app.cluster.model_payload import ModelPayload, unpack
from app.cluster.partition_rows import open_partition
from app.cluster.partitions import Partition
from app.cluster.receipts import Receipt, asked_of
from app.cluster.rejected_rows import RejectedRows
from app.cluster.sources import filesystem_of, reachable
from app.inference.batch_size import whole_batches
from app.inference.files import readable, score_parts
from app.inference.rows import Rows
from app.inference.scored import Scorer


class RunEndedError(Exception):
    """The run that asked for a partition has ended."""


def score_partition(partition: Partition, job: Job, sent: ModelPayload) -> Receipt:
    """Score a partition and write what becomes of it.

    Raises ScoringError where it cannot be read, ClusterError where it cannot be written,
    SavedModelError where the model came damaged.
    """
    model = unpack(sent)
    scorer = Scorer(model, job.level, whole_batches(model.saved.model))
    answers, refused = io.BytesIO(), RejectedRows()
    with (
        readable(partition.source.address),
        open_partition(partition, scorer, errors=job.errors) as (parts, writer),
    ):
        noted = refused.noted(_while_wanted(parts))
        summary = asyncio.run(score_parts(noted, scorer, writer, answers))
    receipt = Receipt(
        asked_of(job, partition),
        summary.rows,
        summary.refused,
        [(row, str(reason)) for row, reason in summary.reasons],
        answers.getbuffer().nbytes,
    )
    _write(job, partition, answers.getvalue(), refused.to_bytes(), receipt)
    return receipt


def _while_wanted(parts: Iterator[Rows]) -> Iterator[Rows]:
    """The same parts, until the run has ended: its workers stay, and another may have begun."""
    worker = get_worker()
    key = worker.get_current_task()
    for rows in parts:
        yield rows
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            raise RunEndedError


def _write(
    job: Job, partition: Partition, answers: bytes, refused: bytes, receipt: Receipt
) -> None:
    """Everything, the receipt last; whoever is killed in between leaves none."""
    outputs = Outputs.of(job, partition.name)
    with reachable(outputs.answers):
        filesystem, _ = filesystem_of(job.output)
        write_whole(filesystem, outputs.answers, answers)
        if refused:
            write_whole(filesystem, outputs.refused, refused)
        write_whole(filesystem, outputs.receipt, receipt.to_bytes())
