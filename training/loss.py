"""Loss functions and their gradients."""

from typing import cast

import numpy as np

from models.arrays import FloatArray


def mean_squared_error(predictions: FloatArray, targets: FloatArray) -> float:
    """L = mean of (P - y)^2 over all entries of P and y, (batch, outputs)."""
    errors = predictions - targets
    return cast("float", np.mean(errors * errors))  # not float(): complex under the complex step


def mean_squared_error_gradient(predictions: FloatArray, targets: FloatArray) -> FloatArray:
    """dL/dP = 2/(batch x outputs) (P - y), (batch, outputs)."""
    return (2.0 / targets.size) * (predictions - targets)


def pinball_loss(predictions: FloatArray, targets: FloatArray, quantiles: FloatArray) -> float:
    """L = mean over batch and quantiles of max(q (y - P), (q - 1) (y - P)).

    P (batch, k) estimates the quantiles q (k,) of y (batch, 1). Koenker and Bassett, "Regression
    Quantiles", Econometrica 46, 1978, 33-50.
    """
    errors = targets - predictions
    below = errors.real < 0  # by the real part: complex under the complex step
    return cast("float", np.mean(np.where(below, (quantiles - 1.0) * errors, quantiles * errors)))


def pinball_loss_gradient(
    predictions: FloatArray, targets: FloatArray, quantiles: FloatArray
) -> FloatArray:
    """dL/dP = (1 - q where P > y, -q elsewhere) / (batch x k), (batch, k)."""
    return np.where(targets < predictions, 1.0 - quantiles, -quantiles) / predictions.size
