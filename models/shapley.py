"""Exact Shapley values: how much each feature moves one prediction away from the average one."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.arrays import FloatArray

Members = NDArray[np.bool_]
"""Which features are in which coalition, (coalitions, features)."""


@dataclass(frozen=True, slots=True)
class Background:
    """The training rows that a prediction is compared with."""

    rows: FloatArray  # (n, 8)


def shapley_values(
    predict: Callable[[FloatArray], FloatArray], row: FloatArray, background: FloatArray
) -> tuple[float, FloatArray]:
    """The baseline and the contributions (features,) to the prediction for a row (features,).

    Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions", arXiv:1705.07874,
    equation 8, over all 2^features coalitions: a coalition's features come from the row, the others
    from each row of the background (n, features), and the predictions are averaged. The baseline is
    the mean prediction for the background; with the contributions it adds up to the prediction.
    """
    members = _coalitions(len(row))  # (2^features, features)
    mixed = np.where(members[:, np.newaxis], row, background)  # (2^features, n, features)
    values = predict(mixed.reshape(-1, len(row))).reshape(len(members), -1).mean(axis=1)
    return float(values[0]), _weights(members) @ values


def _coalitions(features: int) -> Members:
    """All subsets of the features, the empty one first, the whole one last."""
    return (np.arange(2**features)[:, np.newaxis] >> np.arange(features) & 1).astype(bool)


def _weights(members: Members) -> FloatArray:
    """What each coalition's value counts in each feature's contribution, (features, 2^features).

    A coalition of s members enters with s! (n - s - 1)! / n! for each feature that could join it,
    negatively, and with the weight of the one without that feature for each that is in it.
    """
    features = members.shape[1]
    joining = np.array(
        [
            math.factorial(size) * math.factorial(features - size - 1) / math.factorial(features)
            for size in range(features)
        ]
        + [0.0]
    )
    sizes = members.sum(axis=1)
    weights: FloatArray = np.where(members.T, joining[sizes - 1], -joining[sizes])
    return weights
