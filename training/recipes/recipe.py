"""What a recipe is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from models.house_price import HousePriceModel
from training.data import Dataset
from training.progress import Progress


@dataclass(frozen=True, slots=True)
class Trained:
    """What a recipe makes of the training part."""

    model: HousePriceModel
    fit_seconds: float  # the wall time of the fitting loop alone


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way to train: training part and seed in, model out."""

    name: str
    hyperparameters: Mapping[str, Any]
    train: Callable[[Dataset, int, Progress], Trained]
