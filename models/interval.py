"""From a network's outputs to predictions and how sure they are."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from models.arrays import FloatArray

DEFAULT_LEVEL = 0.9


class Estimate(NamedTuple):
    """Median house values and their interval, in 100,000 USD (1990)."""

    predictions: FloatArray  # (n,)
    lower: FloatArray  # (n,)
    upper: FloatArray  # (n,)


class Interval(Protocol):
    """What a model needs of its interval."""

    @property
    def levels(self) -> FloatArray:
        """The levels that were calibrated, (k,), each the share of true values to be held."""

    def estimate(self, outputs: FloatArray, level: float) -> Estimate:
        """Predictions and bounds from the network's outputs (n, outputs), at one of the levels."""


def index_of(level: float, levels: FloatArray) -> int:
    """Where a level stands; raises ValueError where it was not calibrated."""
    calibrated: list[float] = levels.tolist()
    if level not in calibrated:
        raise ValueError(f"the level must be one of {calibrated}, however: {level!r:.40}")
    return calibrated.index(level)


def check_levels(levels: FloatArray) -> None:
    """Raise ValueError unless the levels (k,) ascend between 0 and 1 and hold the default."""
    ascending = np.concatenate([[0.0], levels, [1.0]])
    if not (np.diff(ascending) > 0).all() or DEFAULT_LEVEL not in levels:
        raise ValueError(
            f"the levels must ascend between 0 and 1 and hold {DEFAULT_LEVEL}, "
            f"however: {levels.tolist()!s:.80}"
        )


@dataclass(frozen=True, slots=True)
class ResidualInterval:
    """The one output plus or minus a quantile of residuals: equally wide everywhere."""

    levels: FloatArray  # (k,), ascending
    half_widths: FloatArray  # (k,), 100,000 USD, 0 or above
    _half_width_at: dict[float, float] = field(init=False, repr=False)  # by level

    def __post_init__(self) -> None:
        check_levels(self.levels)
        if self.half_widths.shape != self.levels.shape or (self.half_widths < 0).any():
            raise ValueError(f"the half-widths must be 0 or above, however: {self.half_widths}")
        by_level = dict(zip(self.levels.tolist(), self.half_widths.tolist(), strict=True))
        object.__setattr__(self, "_half_width_at", by_level)

    def estimate(self, outputs: FloatArray, level: float) -> Estimate:
        predictions = outputs[:, 0]
        half_width = self.half_width(level)
        return Estimate(predictions, predictions - half_width, predictions + half_width)

    def half_width(self, level: float) -> float:
        """Half of the interval at a level, 100,000 USD; raises ValueError at another level."""
        if level not in self._half_width_at:
            index_of(level, self.levels)
        return self._half_width_at[level]


@dataclass(frozen=True, slots=True)
class QuantileInterval:
    """Quantiles that the network gives for each row, moved outwards by a share of their distance.

    Conformalised quantile regression with relative margins: Romano, Patterson and Candes,
    arXiv:1905.03222, and Sesia and Candes, "A comparison of some conformal quantile regression
    methods", arXiv:1909.05433 (CQR-r); the margins are those of the prediction's group.
    The outputs are the prediction, then the quantiles, ascending: the lower ones of the levels,
    highest level first, then the upper ones, lowest level first.
    """

    levels: FloatArray  # (k,), ascending
    edges: FloatArray  # (groups - 1,), 100,000 USD, between the groups of predictions
    margins: FloatArray  # (groups, k), of the distance of the quantiles; below 0: inwards
    minimum: float  # 100,000 USD; nothing below and
    maximum: float  # nothing above this was seen in training

    def __post_init__(self) -> None:
        check_levels(self.levels)
        if self.margins.shape != (len(self.edges) + 1, len(self.levels)):
            raise ValueError("each group of predictions must have a margin for each level")
        if not self.minimum <= self.maximum:
            raise ValueError("the minimum must not be above the maximum")

    def estimate(self, outputs: FloatArray, level: float) -> Estimate:
        index = index_of(level, self.levels)
        predictions = outputs[:, 0]
        lower, upper = quantiles_of(outputs, index)
        groups = self.edges.searchsorted(predictions)
        margins = self.margins[:, index].take(groups) * (upper - lower)
        estimate = np.empty((3, len(outputs)))
        estimate[0] = predictions
        np.minimum(lower - margins, predictions, out=estimate[1])
        np.maximum(upper + margins, predictions, out=estimate[2])
        return Estimate(*np.maximum(np.minimum(estimate, self.maximum), self.minimum))


def quantiles_of(outputs: FloatArray, index: int) -> tuple[FloatArray, FloatArray]:
    """The lower and the upper quantile (n,) of the level at an index, from outputs (n, 1 + 2k)."""
    quantiles = np.sort(outputs[:, 1:], axis=1)  # a network may let them cross
    half = quantiles.shape[1] // 2
    return quantiles[:, half - 1 - index], quantiles[:, half + index]
