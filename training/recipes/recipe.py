"""What a recipe is."""

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
    """What a recipe makes of the training part."""

    model: HousePriceModel
    fit_seconds: float  # the wall time of the fitting loop alone
    history: History


class Ablation(NamedTuple):
    """What was tried and did not help."""

    what: str
    result: str  # with the figure that it was judged by, and its unit


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way to train: training part and seed in, model out."""

    name: str
    hyperparameters: Mapping[str, Any]
    train: Callable[[Dataset, int, Progress, Checkpoints], Trained]
    tried: Sequence[Ablation] = ()
