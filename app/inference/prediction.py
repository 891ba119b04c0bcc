"""What the service says of one row."""

from collections.abc import Sequence
from typing import Any

from app.inference.registry import NamedModel
from models.house_price import RowPrediction
from models.interval import DEFAULT_LEVEL


def answer(
    row: Sequence[float], chosen: NamedModel, level: float = DEFAULT_LEVEL
) -> dict[str, Any]:
    """The answer to a row of the eight features, at a calibrated level, as in `Prediction`."""
    return prediction_json(chosen.saved.model.predict_row(row, level), level, chosen.identity)


def prediction_json(answer: RowPrediction, level: float, model: str) -> dict[str, Any]:
    """What a model answered, under its identity, as in the schema `Prediction`."""
    return {
        "prediction": answer.prediction,
        "interval": {"level": level, "lower": answer.lower, "upper": answer.upper},
        "warnings": answer.warnings,
        "model": model,
    }
