"""The recorded losses of a training run."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class EpochRecord(NamedTuple):
    """The losses of one epoch, or of one full-batch step."""

    number: int  # from 0
    training_loss: float
    validation_rmse: float | None = None  # 100,000 USD


@dataclass(frozen=True, slots=True)
class History:
    """The records of a training run in order, with their unit and the kind of loss."""

    records: Sequence[EpochRecord]
    unit: str = "step"  # or "epoch"
    loss: str = "mean squared error, in (100,000 USD)²"  # name and unit of the training loss


def step_records(losses: Iterable[float]) -> Iterator[EpochRecord]:
    """Number the losses of a full-batch fit, without validation."""
    return (EpochRecord(step, float(loss)) for step, loss in enumerate(losses))
