"""Calibrate intervals on training rows, each predicted by a network that was not fitted on it."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import KFold

from models.arrays import FloatArray
from models.interval import QuantileInterval, ResidualInterval, quantile_bounds


class Fold(NamedTuple):
    """The training part without the held-out rows, and the held-out rows."""

    number: int
    rows: FloatArray  # (n, 8), to fit on
    targets: FloatArray  # (n,), 100,000 USD
    held_out_rows: FloatArray  # (m, 8)
    held_out_targets: FloatArray  # (m,)


FitFold = Callable[[Fold], FloatArray]
"""Fits a network on a fold; returns its outputs (m, outputs) for the held-out rows."""

LEVELS = (0.5, 0.8, 0.9, 0.95)
FOLDS = 5
GROUPS = 4  # of predictions, of equal size


def cross_fit(fit_fold: FitFold, rows: FloatArray, targets: FloatArray, *, seed: int) -> FloatArray:
    """Return outputs (n, outputs) for the training rows, each from a fit without that row.

    Each fold is predicted by a fit on the other folds (Vovk, "Cross-conformal predictors",
    arXiv:1208.0806), so all training rows can train the final model and calibrate it.
    """
    outputs: FloatArray | None = None
    folds = KFold(FOLDS, shuffle=True, random_state=seed).split(rows)
    for number, (fitted, held_out) in enumerate(folds):
        fold = Fold(number, rows[fitted], targets[fitted], rows[held_out], targets[held_out])
        fold_outputs = fit_fold(fold)
        if outputs is None:
            outputs = np.empty((len(rows), fold_outputs.shape[1]))
        outputs[held_out] = fold_outputs
    assert outputs is not None
    return outputs


def residual_interval(outputs: FloatArray, targets: FloatArray) -> ResidualInterval:
    """Calibrate intervals of constant width on held-out outputs (n, 1) and true values (n,)."""
    residuals = np.abs(targets - outputs[:, 0])
    half_widths = [conformal_quantile(residuals, level) for level in LEVELS]
    return ResidualInterval(np.array(LEVELS), np.array(half_widths))


def quantile_interval(outputs: FloatArray, targets: FloatArray) -> QuantileInterval:
    """Calibrate intervals of adaptive width on held-out outputs (n, 1 + 2 levels).

    A row's score is the distance from its true value to its quantiles, relative to the distance
    between them and negative between them. A margin is the conformal quantile of a group's scores
    (Sesia and Candes, arXiv:1909.05433, CQR-r). The groups divide the rows by prediction, so that
    cheap and expensive block groups have the same coverage.
    """
    predictions = outputs[:, 0]
    edges = np.quantile(predictions, np.arange(1, GROUPS) / GROUPS)
    group = np.searchsorted(edges, predictions)
    margins = np.empty((GROUPS, len(LEVELS)))
    for index, level in enumerate(LEVELS):
        lower, upper = quantile_bounds(outputs, index)
        scores = np.maximum(lower - targets, targets - upper) / (upper - lower)
        for number in range(GROUPS):
            margins[number, index] = conformal_quantile(scores[group == number], level)
    return QuantileInterval(
        np.array(LEVELS), edges, margins, float(targets.min()), float(targets.max())
    )


def conformal_quantile(scores: FloatArray, level: float) -> float:
    """Return the ceil((n + 1) level)-th smallest of n scores.

    Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, "Distribution-Free Predictive Inference for
    Regression", arXiv:1604.04173, algorithm 2. Raises ValueError if n is too small.
    """
    rank = math.ceil((len(scores) + 1) * level)
    if rank > len(scores):
        raise ValueError(f"level {level} must have at least {rank} scores, got {len(scores)}")
    return float(np.partition(scores, rank - 1)[rank - 1])
