"""What a recipe is: a way to train a model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from models.house_price import HousePriceModel
from training.checkpoint import Checkpoints
from training.data import Dataset
from training.history import History
from training.progress import Progress


@dataclass(frozen=True, slots=True)
class Trained:
    """The result of a recipe."""

    model: HousePriceModel
    fit_seconds: float  # the wall time of the fitting loop alone
    history: History


class Ablation(NamedTuple):
    """A variant of a recipe that was not adopted."""

    variant: str
    result: str  # relative to the recipe


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way to train: training part and seed in, model out."""

    name: str
    hyperparameters: Mapping[str, Any]
    train: Callable[[Dataset, int, Progress, Checkpoints], Trained]
    ablations: Sequence[Ablation] = ()
