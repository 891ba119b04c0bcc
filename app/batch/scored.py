"""Rows with their answers, those that are refused in their place."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.answer import answer_json
from app.loaded_models import NamedModel
from app.rows import Rows
from app.scoring import Pace, answer_many, estimate_many
from models.arrays import FloatArray
from models.house_price import RowAnswer
from models.interval import DEFAULT_LEVEL


@dataclass(frozen=True, slots=True)
class Scorer:
    """What a batch is answered with."""

    model: NamedModel
    level: float = DEFAULT_LEVEL
    pace: Pace = field(default_factory=Pace)

    async def score(self, rows: Rows, *, warns: bool = True) -> "Scored":
        """Answer the rows that are accepted, without keeping the event loop for long.

        Whoever tells no warnings gets answers sooner without them.
        """
        accepted = rows.accepted
        if not len(accepted):
            await asyncio.sleep(0)
            return Scored(rows, np.full((len(rows), 3), np.nan), {})
        values = rows.values if len(accepted) == len(rows) else rows.values[accepted]
        asked = self.model.saved.model, values, self.level, self.pace
        warnings_at: dict[int, list[str]] = {}
        if warns:
            estimate, warnings = await answer_many(*asked)
            warnings_at = dict(zip(accepted.tolist(), warnings, strict=True))
        else:
            estimate = await estimate_many(*asked)
        numbers = np.full((len(rows), 3), np.nan)
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
            else answer_json(_row_answer(numbers, self.warnings[index]), scorer.level, identity)
            for index, numbers in enumerate(self.numbers.tolist())
        ]


def _row_answer(numbers: list[float], warnings: list[str]) -> RowAnswer:
    prediction, lower, upper = numbers
    return RowAnswer(prediction, lower, upper, warnings)
