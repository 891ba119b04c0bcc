"""Rows with their answers, those that are refused in their place."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.inference.batch_size import AdaptiveBatchSize
from app.inference.prediction import prediction_json
from app.inference.registry import NamedModel
from app.inference.rows import Rows
from app.inference.scheduler import answer_many, estimate_many
from models.arrays import FloatArray
from models.house_price import RowPrediction
from models.interval import DEFAULT_LEVEL


@dataclass(frozen=True, slots=True)
class Scorer:
    """What a batch is answered with."""

    model: NamedModel
    level: float = DEFAULT_LEVEL
    pace: AdaptiveBatchSize | None = None
    """For all that it scores, in place of the two that it has otherwise."""
    _pace_with_warnings: AdaptiveBatchSize = field(default_factory=AdaptiveBatchSize, init=False)

    async def score(self, rows: Rows, *, warns: bool = True) -> "Scored":
        """Answer the rows that are accepted, without keeping the event loop for long.

        Whoever tells no warnings gets answers sooner without them.
        """
        accepted = rows.accepted
        values = rows.values[accepted]
        if not len(values):
            await asyncio.sleep(0)
            return Scored(rows, np.full((len(rows), 3), np.nan), {})
        model, warnings_at = self.model.saved.model, {}
        if warns:  # how long those take depends on the rows: nothing to learn for other batches
            pace = self.pace or self._pace_with_warnings
            estimate, warnings = await answer_many(model, values, self.level, pace)
            places = np.arange(len(rows))[accepted].tolist()
            warnings_at = dict(zip(places, warnings, strict=True))
        else:
            pace = self.pace or self.model.pace
            estimate = await estimate_many(model, values, self.level, pace)
        numbers = np.full((len(rows), 3), np.nan, order="F")
        numbers[accepted] = np.transpose(estimate)
        return Scored(rows, numbers, warnings_at)


@dataclass(frozen=True, slots=True)
class Scored:
    """The answers to some rows."""

    rows: Rows
    numbers: FloatArray  # (n, 3): prediction, lower, upper, 100,000 USD; NaN where refused
    warnings: dict[int, list[str]]  # of each row that is accepted, if they are told

    def to_json(self, scorer: Scorer) -> list[dict[str, Any]]:
        """For each row what `POST /predict` answers, or `{"error": "..."}`."""
        identity, refused = scorer.model.identity, self.rows.refused
        return [
            {"error": refused[index]}
            if index in refused
            else prediction_json(_row_answer(numbers, self.warnings[index]), scorer.level, identity)
            for index, numbers in enumerate(self.numbers.tolist())
        ]


def _row_answer(numbers: list[float], warnings: list[str]) -> RowPrediction:
    prediction, lower, upper = numbers
    return RowPrediction(prediction, lower, upper, warnings)
