"""How wide the interval is, from rows that did not train what predicts them."""

import math
from collections.abc import Callable, Iterable

import numpy as np
from sklearn.model_selection import KFold

from models.arrays import FloatArray
from models.interval import ConformalInterval

Predict = Callable[[FloatArray], FloatArray]
"""Rows (n, 8) to predictions (n,)."""

FitPredictor = Callable[[FloatArray, FloatArray], Predict]
"""Training rows (n, 8) and targets (n,) to a fitted predictor."""

LEVEL = 0.9
FOLDS = 5


def cross_fit_interval(
    fit_predictor: FitPredictor,
    rows: FloatArray,
    targets: FloatArray,
    *,
    seed: int,
    watch: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> ConformalInterval:
    """The 90 % interval, by cross-fitting inside the training part.

    Each fold's residuals come from a predictor fitted on the other folds (Vovk, "Cross-conformal
    predictors", arXiv:1208.0806, section 2), so all training rows both train the final model and
    calibrate it, and no residual is of a row that its predictor has seen.
    """
    residuals = np.empty_like(targets)
    folds = list(KFold(FOLDS, shuffle=True, random_state=seed).split(rows))
    for fold in watch(range(FOLDS)):
        others, held_out = folds[fold]
        predict = fit_predictor(rows[others], targets[others])
        residuals[held_out] = np.abs(targets[held_out] - predict(rows[held_out]))
    return ConformalInterval(LEVEL, conformal_quantile(residuals, LEVEL))


def conformal_quantile(residuals: FloatArray, level: float) -> float:
    """The ceil((n + 1) level)-th smallest of n absolute residuals.

    Lei et al., arXiv:1604.04173, algorithm 2. Raises ValueError where n is too small for the level.
    """
    rank = math.ceil((len(residuals) + 1) * level)
    if rank > len(residuals):
        raise ValueError(f"level {level} must have more than {len(residuals)} residuals")
    return float(np.partition(residuals, rank - 1)[rank - 1])
