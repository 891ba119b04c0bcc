"""What training makes small."""

from typing import cast

import numpy as np

from models.arrays import FloatArray


def mean_squared_error(predictions: FloatArray, targets: FloatArray) -> float:
    """L = mean of (P - y)^2 over every entry, with P and y (batch, outputs)."""
    errors = predictions - targets
    return cast("float", np.mean(errors * errors))  # not float(): complex under the complex step


def mean_squared_error_gradient(predictions: FloatArray, targets: FloatArray) -> FloatArray:
    """dL/dP = 2/(batch x outputs) (P - y), (batch, outputs)."""
    return (2.0 / targets.size) * (predictions - targets)
