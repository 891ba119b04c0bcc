"""What the loss did while a model was trained."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class EpochRecord(NamedTuple):
    """One step or epoch."""

    number: int  # from 0
    training_loss: float
    validation_rmse: float | None = None  # 100,000 USD


@dataclass(frozen=True, slots=True)
class History:
    """The moments of a training, in order, and what they count and measure."""

    moments: Sequence[EpochRecord]
    counted_in: str = "step"  # or "epoch"
    loss: str = "mean squared error, in (100,000 USD)²"  # with its unit


def epoch_records(losses: Iterable[float]) -> Iterator[EpochRecord]:
    """The moments of a fit that measures its training loss at each step and nothing else."""
    return (EpochRecord(step, float(loss)) for step, loss in enumerate(losses))
