"""Many rows: their numbers, and of those that are refused, why."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from pydantic import ValidationError

from app.inference.row_errors import describe_first_error
from app.inference.row_parser import HouseFeatures, to_numbers
from models.arrays import FloatArray, Indices
from models.features import FEATURE_NAMES, within_bounds

MAX_ROWS = 10_000
"""Of a batch that is taken as a whole; what is streamed has no limit."""


class RowError(str):
    """Why a row is refused: one sentence, which also knows of what kind its mistake is."""

    __slots__ = ("kind",)
    kind: str
    """A type of Pydantic's, or one of telemetry.REASONS."""

    def __new__(cls, sentence: str, kind: str) -> Self:
        refusal = super().__new__(cls, sentence)
        refusal.kind = kind
        return refusal


MAX_MEMBERS = 64
TOO_MANY_MEMBERS = RowError(
    f"The row must be a JSON object of the eight features, however it has more than {MAX_MEMBERS} "
    "members.",
    "unknown_feature",
)
"""Before each of them is looked at, which takes its time."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as they came, in order."""

    values: FloatArray  # (n, 8), in the order and units of FEATURES; anything where refused.
    # Best column by column in memory, along which all that is done to many rows goes.
    refused: dict[int, RowError] = field(default_factory=dict)
    """Why a row is refused, by its place among them, from 0."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def accepted(self) -> Indices | slice:
        """The rows that are to be answered, in order: an index, which copies nothing if all are."""
        if not self.refused:
            return slice(None)
        return np.setdiff1d(np.arange(len(self)), [*self.refused], assume_unique=True)


def of_numbers(values: FloatArray) -> Rows:
    """Rows of numbers (n, 8), of which those that are out of bounds or not finite are refused."""
    values = np.asfortranarray(values)
    outside = rows_outside(values)
    return Rows(values, {index: _refusal(values[index].tolist()) for index in outside})


def rows_outside(values: FloatArray) -> list[int]:
    """Which rows (n, 8) have a number that is out of its bounds or not finite, ascending."""
    outside: list[int] = np.flatnonzero(~within_bounds(values).all(axis=1)).tolist()
    return outside


def of_json(objects: Sequence[Any]) -> Rows:
    """Rows of parsed JSON values, each of which should be an object of the eight features."""
    values, refused = np.zeros((len(objects), len(FEATURE_NAMES))), {}
    for index, value in enumerate(objects):
        if isinstance(value, dict) and len(value) > MAX_MEMBERS:
            refused[index] = TOO_MANY_MEMBERS
            continue
        try:
            values[index] = to_numbers(HouseFeatures.model_validate(value))
        except ValidationError as error:
            refused[index] = row_error(error)
    return Rows(values, refused)


def row_error(error: ValidationError) -> RowError:
    """Why a row is refused, in the sentence that `/predict` would refuse it with."""
    errors = [{**entry, "loc": ("body", *entry["loc"])} for entry in error.errors()]
    sentence, first = describe_first_error(errors)
    return RowError(sentence.replace("The body", "The row"), first.type)


def _refusal(numbers: list[float]) -> RowError:
    try:
        HouseFeatures.model_validate(dict(zip(FEATURE_NAMES, numbers, strict=True)))
    except ValidationError as error:
        return row_error(error)
    raise AssertionError("the schema and the bounds are of the same features")
