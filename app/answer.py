"""What the service says of one row."""

import numpy as np

from app.loaded_models import NamedModel
from app.schemas import Interval, Prediction
from models.arrays import FloatArray
from models.interval import DEFAULT_LEVEL


def answer(row: FloatArray, chosen: NamedModel, level: float = DEFAULT_LEVEL) -> Prediction:
    """The prediction for a row (8,), with its interval at a calibrated level, and warnings."""
    model = chosen.saved.model
    prediction, lower, upper = np.ravel(model.estimate(row[np.newaxis], level)).tolist()
    return Prediction(
        prediction=prediction,
        interval=Interval(level=level, lower=lower, upper=upper),
        warnings=model.warnings(row, prediction),
        model=chosen.identity,
    )
