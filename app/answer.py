"""What the service says of one row."""

from typing import Any

import numpy as np

from app.loaded_models import NamedModel
from models.arrays import FloatArray
from models.interval import DEFAULT_LEVEL


def answer(row: FloatArray, chosen: NamedModel, level: float = DEFAULT_LEVEL) -> dict[str, Any]:
    """The prediction for a row (8,), with its interval at a calibrated level, and warnings."""
    estimate, (warnings,) = chosen.saved.model.answer(row[np.newaxis], level)
    return answer_json(np.ravel(estimate).tolist(), level, warnings, chosen.identity)


def answer_json(
    numbers: list[float], level: float, warnings: list[str], model: str
) -> dict[str, Any]:
    """Prediction, lower and upper bound (100,000 USD of 1990), as in the schema `Prediction`."""
    prediction, lower, upper = numbers
    return {
        "prediction": prediction,
        "interval": {"level": level, "lower": lower, "upper": upper},
        "warnings": warnings,
        "model": model,
    }
