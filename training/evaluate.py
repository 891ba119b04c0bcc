"""Evaluate a model on rows that it was not trained on."""

import numpy as np
from sklearn.metrics import (
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    root_mean_squared_error,
)

from models.arrays import FloatArray
from models.house_price import HousePriceModel
from models.saved_model.card import Metrics


def evaluate(model: HousePriceModel, rows: FloatArray, targets: FloatArray) -> Metrics:
    """Compute the metrics of a model on rows (n, 8) and true values (n,), in 100,000 USD (1990)."""
    predictions, lower, upper = model.estimate(rows)
    return Metrics(
        mae=float(mean_absolute_error(targets, predictions)),
        rmse=float(root_mean_squared_error(targets, predictions)),
        mse=float(mean_squared_error(targets, predictions)),
        r2=float(r2_score(targets, predictions)),
        coverage=float(np.mean((lower <= targets) & (targets <= upper))),
        mean_width=float(np.mean(upper - lower)),
        test_rows=len(targets),
    )
