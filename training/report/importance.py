"""Permutation importance: how much a model relies on each feature."""

from collections.abc import Callable

import numpy as np

from models.arrays import FloatArray

Predict = Callable[[FloatArray], FloatArray]
"""Rows (n, 8) to predictions (n,)."""

MAX_ROWS = 2_000
SHUFFLES = 5


def permutation_importance(
    predict: Predict, rows: FloatArray, targets: FloatArray, *, rng: np.random.Generator
) -> FloatArray:
    """Compute the increase of the RMSE, 100,000 USD, by shuffling a column: (features, shuffles).

    Breiman, "Random Forests", Machine Learning 45, 2001, section 10. Uses a sample of at most
    MAX_ROWS of the rows (n, features).
    """
    if len(rows) > MAX_ROWS:
        drawn = rng.choice(len(rows), MAX_ROWS, replace=False)
        rows, targets = rows[drawn], targets[drawn]
    unshuffled = _rmse(predict(rows), targets)
    increases = np.empty((rows.shape[1], SHUFFLES))
    for column, shuffle in np.ndindex(increases.shape):
        shuffled = rows.copy()
        shuffled[:, column] = rng.permutation(rows[:, column])
        increases[column, shuffle] = _rmse(predict(shuffled), targets) - unshuffled
    return increases


def _rmse(predictions: FloatArray, targets: FloatArray) -> float:
    return float(np.sqrt(np.mean((predictions - targets) ** 2)))
