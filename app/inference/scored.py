"""Predictions for the rows of a batch, with the rejected rows in their places."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.inference.registry import NamedModel
from app.inference.row_json import prediction_json
from app.inference.rows import Rows
from app.inference.scheduler import (
    AdaptiveBatchSize,
    estimate_many,
    estimate_many_with_warnings,
)
from models.arrays import FloatArray
from models.house_price import RowPrediction
from models.interval import DEFAULT_LEVEL


@dataclass(frozen=True, slots=True)
class Scorer:
    """Predicts the rows of one batch with one model, at one interval level."""

    model: NamedModel
    level: float = DEFAULT_LEVEL
    batch_size: AdaptiveBatchSize | None = None
    """If None, the size is the model's without warnings, and this scorer's with warnings."""
    _size_with_warnings: AdaptiveBatchSize = field(default_factory=AdaptiveBatchSize, init=False)
    """Not the model's: the time for warnings depends on the rows of the batch."""

    async def score(self, rows: Rows, *, with_warnings: bool = True) -> "Scored":
        """Predict the accepted rows in slices, so that the event loop is not blocked for long.

        Without warnings it is faster.
        """
        accepted = rows.accepted
        values = rows.values[accepted]
        estimates = np.full((len(rows), 3), np.nan, order="F")
        if not len(values):
            await asyncio.sleep(0)
            return Scored(rows, estimates, {})
        model, warnings_by_row = self.model.saved.model, {}
        if with_warnings:
            size = self.batch_size or self._size_with_warnings
            estimate, warnings = await estimate_many_with_warnings(model, values, self.level, size)
            indices = np.arange(len(rows))[accepted].tolist()
            warnings_by_row = dict(zip(indices, warnings, strict=True))
        else:
            size = self.batch_size or self.model.batch_size
            estimate = await estimate_many(model, values, self.level, size)
        estimates[accepted] = np.transpose(estimate)
        return Scored(rows, estimates, warnings_by_row)


@dataclass(frozen=True, slots=True)
class Scored:
    """Rows with their predictions."""

    rows: Rows
    estimates: FloatArray
    """(n, 3): prediction, lower, upper, in 100,000 USD; NaN where rejected.

    Stored column by column (order F), so that a writer of columns does not copy them.
    """
    warnings: dict[int, list[str]]
    """The warnings of each accepted row, by its index; empty if not requested."""

    def to_json(self, scorer: Scorer) -> list[dict[str, Any]]:
        """Return for each row the response of `POST /predict`, or `{"error": "..."}`."""
        identity, errors = scorer.model.identity, self.rows.errors
        return [
            {"error": errors[index]}
            if index in errors
            else prediction_json(
                RowPrediction(prediction, lower, upper, self.warnings[index]),
                scorer.level,
                identity,
            )
            for index, (prediction, lower, upper) in enumerate(self.estimates.tolist())
        ]
