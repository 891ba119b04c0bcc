"""Rows with their answers, those that are refused in their place."""

import asyncio
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.answer import answer_json
from app.loaded_models import NamedModel
from app.pace import Pace
from app.rows import Rows
from app.scoring import answer_many, estimate_many
from models.arrays import FloatArray
from models.house_price import RowAnswer
from models.interval import DEFAULT_LEVEL


@dataclass(frozen=True, slots=True)
class Scorer:
    """What a batch is answered with."""

    model: NamedModel
    level: float = DEFAULT_LEVEL
    pace: Pace | None = None
    """Another one than that of the model's batches."""

    async def score(self, rows: Rows, *, warns: bool = True) -> "Scored":
        """Answer the rows that are accepted, without keeping the event loop for long.

        Whoever tells no warnings gets answers sooner without them.
        """
        accepted = rows.accepted
        if not len(accepted):
            await asyncio.sleep(0)
            return Scored(rows, np.full((len(rows), 3), np.nan), {})
        values = rows.accepted_values
        asked = self.model.saved.model, values, self.level, self.pace or self.model.pace
        warnings_at: dict[int, list[str]] = {}
        if warns:
            estimate, warnings = await answer_many(*asked)
            warnings_at = dict(zip(accepted.tolist(), warnings, strict=True))
        else:
            estimate = await estimate_many(*asked)
        numbers = np.column_stack(estimate)
        if rows.refused:
            numbers, of_accepted = np.full((len(rows), 3), np.nan), numbers
            numbers[accepted] = of_accepted
        return Scored(rows, numbers, warnings_at)


@dataclass(frozen=True, slots=True)
class Scored:
    """The answers to some rows."""

    rows: Rows
    numbers: FloatArray  # (n, 3): prediction, lower, upper, 100,000 USD; NaN where refused
    warnings: dict[int, list[str]]  # of each row that is accepted, if they are told

    @property
    def predictions(self) -> FloatArray:
        """Of the rows that are accepted, (accepted,)."""
        predictions = self.numbers[:, 0]
        return predictions[self.rows.accepted] if self.rows.refused else predictions

    def to_json(self, scorer: Scorer) -> list[dict[str, Any]]:
        """For each row what `POST /predict` answers, or `{"error": "..."}`."""
        identity, refused = scorer.model.identity, self.rows.refused
        return [
            {"error": refused[index]}
            if index in refused
            else answer_json(_row_answer(numbers, self.warnings[index]), scorer.level, identity)
            for index, numbers in enumerate(self.numbers.tolist())
        ]


def _row_answer(numbers: list[float], warnings: list[str]) -> RowAnswer:
    prediction, lower, upper = numbers
    return RowAnswer(prediction, lower, upper, warnings)
