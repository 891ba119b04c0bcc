"""Exact Shapley values: how much each feature moves a prediction away from the average."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.arrays import FloatArray

Coalitions = NDArray[np.bool_]
"""Whether each feature is in each coalition, (coalitions, features)."""


@dataclass(frozen=True, slots=True)
class Background:
    """The training rows that replace absent features."""

    rows: FloatArray  # (n, 8)


def shapley_values(
    predict: Callable[[FloatArray], FloatArray], row: FloatArray, background: FloatArray
) -> tuple[float, FloatArray]:
    """Return the baseline and each feature's contribution (features,) to a row's prediction.

    Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions", arXiv:1705.07874,
    equation 8, over all 2^features coalitions. A coalition's features come from the row (features,)
    and the others from each row of the background (n, features); its value is the mean prediction.
    The baseline is the value of the empty coalition; with the contributions, it adds up to the
    prediction.
    """
    coalitions = _coalitions(len(row))  # (2^features, features)
    mixed = np.where(coalitions[:, np.newaxis], row, background)  # (2^features, n, features)
    values = predict(mixed.reshape(-1, len(row))).reshape(len(coalitions), -1).mean(axis=1)
    return float(values[0]), _weights(coalitions) @ values


def _coalitions(features: int) -> Coalitions:
    """Return all subsets of the features, from the empty to the full one."""
    return (np.arange(2**features)[:, np.newaxis] >> np.arange(features) & 1).astype(bool)


def _weights(coalitions: Coalitions) -> FloatArray:
    """Return the weight of each coalition's value in each contribution, (features, 2^features).

    A feature's contribution is the weighted sum of v(S with it) - v(S without it), with the weight
    s! (n - s - 1)! / n! for a coalition S without it of size s.
    """
    features = coalitions.shape[1]
    weight_by_size = np.array(
        [
            math.factorial(size) * math.factorial(features - size - 1) / math.factorial(features)
            for size in range(features)
        ]
        + [0.0]  # for indices -1 and n, whose entries np.where discards
    )
    sizes = coalitions.sum(axis=1)
    weights: FloatArray = np.where(coalitions.T, weight_by_size[sizes - 1], -weight_by_size[sizes])
    return weights
