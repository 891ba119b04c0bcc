"""How wide the intervals are, from rows that did not train what predicts them."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import KFold

from models.arrays import FloatArray
from models.interval import QuantileInterval, ResidualInterval, quantiles_of


class Fold(NamedTuple):
    """The training part without some rows, and those rows."""

    number: int
    rows: FloatArray  # (n, 8), to fit on
    targets: FloatArray  # (n,), 100,000 USD
    held_out_rows: FloatArray  # (m, 8)
    held_out_targets: FloatArray  # (m,)


FitFold = Callable[[Fold], FloatArray]
"""A fold to the outputs (m, outputs), for its held-out rows, of a network that was fitted on it."""

LEVELS = (0.5, 0.8, 0.9, 0.95)
FOLDS = 5
GROUPS = 4  # of predictions, equally many in each


def cross_fit(fit_fold: FitFold, rows: FloatArray, targets: FloatArray, *, seed: int) -> FloatArray:
    """The outputs (n, outputs) for each training row of a network that has not seen it.

    Each fold is predicted by a fit on the other folds (Vovk, "Cross-conformal predictors",
    arXiv:1208.0806), so all training rows both train the final model and calibrate it.
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
    """Intervals of one width from held-out outputs (n, 1) and the true values (n,)."""
    residuals = np.abs(targets - outputs[:, 0])
    half_widths = [conformal_quantile(residuals, level) for level in LEVELS]
    return ResidualInterval(np.array(LEVELS), np.array(half_widths))


def quantile_interval(outputs: FloatArray, targets: FloatArray) -> QuantileInterval:
    """Intervals as wide as each row needs, from held-out outputs (n, 1 + 2 levels).

    A row's score is how far its true value lies outside its quantiles, relative to their distance
    and below 0 when inside; a margin is the conformal quantile of a group's scores (Sesia and
    Candes, arXiv:1909.05433, CQR-r). The groups are those of the prediction, so that cheap and dear
    houses are covered alike.
    """
    predictions = outputs[:, 0]
    edges = np.quantile(predictions, np.arange(1, GROUPS) / GROUPS)
    group = np.searchsorted(edges, predictions)
    margins = np.empty((GROUPS, len(LEVELS)))
    for index, level in enumerate(LEVELS):
        lower, upper = quantiles_of(outputs, index)
        scores = np.maximum(lower - targets, targets - upper) / (upper - lower)
        for number in range(GROUPS):
            margins[number, index] = conformal_quantile(scores[group == number], level)
    return QuantileInterval(
        np.array(LEVELS), edges, margins, float(targets.min()), float(targets.max())
    )


def conformal_quantile(scores: FloatArray, level: float) -> float:
    """The ceil((n + 1) level)-th smallest of n scores.

    Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, "Distribution-Free Predictive Inference for
    Regression", arXiv:1604.04173, algorithm 2. Raises ValueError where n is too small.
    """
    rank = math.ceil((len(scores) + 1) * level)
    if rank > len(scores):
        raise ValueError(f"level {level} must have more than {len(scores)} scores")
    return float(np.partition(scores, rank - 1)[rank - 1])
