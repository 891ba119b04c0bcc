"""Predictions and intervals from a network's outputs."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from models.arrays import FloatArray

DEFAULT_LEVEL = 0.9


class Estimate(NamedTuple):
    """Median house values and their intervals, in 100,000 USD (1990)."""

    predictions: FloatArray  # (n,)
    lower: FloatArray  # (n,)
    upper: FloatArray  # (n,)


class Interval(Protocol):
    """Computes predictions and intervals from the outputs of a network."""

    @property
    def levels(self) -> FloatArray:
        """The calibrated levels (k,): the shares of true values that intervals should contain."""

    def estimate(self, outputs: FloatArray, level: float) -> Estimate:
        """Compute predictions and bounds at a calibrated level from outputs (n, outputs)."""


def level_index(level: float, levels: FloatArray) -> int:
    """Return the position of a level; raises ValueError if it is not calibrated."""
    calibrated: list[float] = levels.tolist()
    if level not in calibrated:
        raise ValueError(f"the level must be one of {calibrated}, got {level!r:.40}")
    return calibrated.index(level)


def check_levels(levels: FloatArray) -> None:
    """Raise ValueError unless the levels (k,) ascend between 0 and 1 and include the default."""
    ascending = np.concatenate([[0.0], levels, [1.0]])
    if not (np.diff(ascending) > 0).all() or DEFAULT_LEVEL not in levels:
        raise ValueError(
            f"the levels must ascend between 0 and 1 and include {DEFAULT_LEVEL}, "
            f"got {levels.tolist()!s:.80}"
        )


@dataclass(frozen=True, slots=True)
class ResidualInterval:
    """The single output plus or minus a quantile of the residuals: the same width everywhere."""

    levels: FloatArray  # (k,), ascending
    half_widths: FloatArray  # (k,), 100,000 USD, 0 or above

    def __post_init__(self) -> None:
        check_levels(self.levels)
        if self.half_widths.shape != self.levels.shape or (self.half_widths < 0).any():
            raise ValueError(f"the half-widths must be 0 or above, got {self.half_widths}")

    def estimate(self, outputs: FloatArray, level: float) -> Estimate:
        predictions = outputs[:, 0]
        half_width = self.half_width(level)
        return Estimate(predictions, predictions - half_width, predictions + half_width)

    def half_width(self, level: float) -> float:
        """Return half the width at a level, 100,000 USD; raises ValueError if not calibrated."""
        half_width: float = self.half_widths[level_index(level, self.levels)].item()
        return half_width


@dataclass(frozen=True, slots=True)
class QuantileInterval:
    """The network's quantiles for each row, widened by a calibrated share of their distance.

    Conformalised quantile regression with relative margins: Romano, Patterson and Candes,
    arXiv:1905.03222, and Sesia and Candes, "A comparison of some conformal quantile regression
    methods", arXiv:1909.05433 (CQR-r). Each group of predictions has its own margins. The outputs
    are the prediction and the ascending quantiles: the lower ones, highest level first, then the
    upper ones, lowest level first.
    """

    levels: FloatArray  # (k,), ascending
    edges: FloatArray  # (groups - 1,), 100,000 USD, separate the groups of predictions
    margins: FloatArray  # (groups, k), relative to the quantiles' distance; negative: narrower
    minimum: float  # 100,000 USD, of the training targets
    maximum: float

    def __post_init__(self) -> None:
        check_levels(self.levels)
        shape = len(self.edges) + 1, len(self.levels)
        if self.margins.shape != shape:
            raise ValueError(f"the margins must be {shape}, got {self.margins.shape}")
        if not self.minimum <= self.maximum:
            raise ValueError(
                f"the minimum must not exceed the maximum, got {self.minimum} and {self.maximum}"
            )

    def estimate(self, outputs: FloatArray, level: float) -> Estimate:
        index = level_index(level, self.levels)
        predictions = outputs[:, 0]
        lower, upper = quantile_bounds(outputs, index)
        groups = self.edges.searchsorted(predictions)
        margins = self.margins[:, index].take(groups) * (upper - lower)
        estimate = np.empty((3, len(outputs)))
        estimate[0] = predictions
        np.minimum(lower - margins, predictions, out=estimate[1])
        np.maximum(upper + margins, predictions, out=estimate[2])
        return Estimate(*np.maximum(np.minimum(estimate, self.maximum), self.minimum))


def quantile_bounds(outputs: FloatArray, index: int) -> tuple[FloatArray, FloatArray]:
    """Return the lower and upper quantiles (n,) of one level from outputs (n, 1 + 2 levels)."""
    quantiles = np.sort(outputs[:, 1:], axis=1)  # the network's quantiles may cross
    half = quantiles.shape[1] // 2
    return quantiles[:, half - 1 - index], quantiles[:, half + index]
