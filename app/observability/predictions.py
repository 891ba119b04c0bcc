"""Predict with a loaded model and count the predictions.

POST /predict, the fast path, batches and V2 all predict here, so no prediction is left uncounted.
"""

from collections.abc import Sequence
from math import isfinite

import numpy as np

from app.inference.registry import Chosen
from app.inference.rows import Rows
from app.inference.scored import Scored, Scorer
from app.observability.metrics import count_buffer, count_predictions, count_rejected
from models.house_price import RowPrediction

NOT_FINITE = "a prediction must be finite"


def predict_rows(chosen: Chosen, rows: Sequence[Sequence[float]]) -> list[RowPrediction]:
    """Return the predictions for a few rows (each: eight numbers in the order of FEATURES).

    They are counted at the next `count_buffer.flush()`.

    Raises FloatingPointError, and counts nothing, when a prediction is not finite.
    """
    predictions = chosen.model.saved.model.predict_rows(rows, chosen.level)
    for prediction in predictions:
        if not isfinite(prediction.prediction):
            raise FloatingPointError(NOT_FINITE)
    count_buffer.add_predictions(chosen.model, rows, predictions)
    return predictions


class CountingScorer(Scorer):
    """A scorer for batches of any size that counts predicted and rejected rows."""

    async def score(self, rows: Rows, *, with_warnings: bool = True) -> Scored:
        """Predict the accepted rows.

        Raises FloatingPointError, and counts nothing, when a prediction is not finite.
        """
        scored = await super().score(rows, with_warnings=with_warnings)
        accepted = rows.accepted
        predictions = scored.estimates[accepted, 0]
        if not np.isfinite(predictions).all():
            raise FloatingPointError(NOT_FINITE)
        count_predictions(self.model, rows.values[accepted], predictions)
        for error in rows.errors.values():
            count_rejected(error.type)
        return scored
