"""Rows of a batch: their numbers, and an error for each rejected row."""

import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import ValidationError

from app.inference.row_errors import RowError, not_an_object, to_row_error
from app.inference.row_json import HouseFeatures, to_numbers
from models.arrays import FloatArray, Indices
from models.features import FEATURE_NAMES, within_bounds

MAX_ROWS = 10_000
"""Limit of a batch that is read as a whole; a streamed batch has no limit."""

MAX_MEMBERS = 64  # of an object; more take long to validate
TOO_MANY_MEMBERS = RowError(
    not_an_object("The row", f"got more than {MAX_MEMBERS} members"), "unknown_feature"
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Consecutive rows of a batch."""

    values: FloatArray
    """(n, 8), in the order and units of FEATURES; any numbers where rejected.

    Stored column by column (order F), because bounds and scaling work along the columns.
    """
    errors: dict[int, RowError] = field(default_factory=dict)
    """The error of each rejected row, by its index."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def accepted(self) -> Indices | slice:
        """An index of the accepted rows, in order; a slice, which copies nothing, if all are."""
        if not self.errors:
            return slice(None)
        return np.setdiff1d(np.arange(len(self)), [*self.errors], assume_unique=True)


def check_bounds(values: FloatArray) -> Rows:
    """Return rows (n, 8), with an error for each that is out of bounds or not finite."""
    values = np.asfortranarray(values)
    rejected = find_out_of_bounds(values)
    return Rows(values, {index: _bounds_error(values[index].tolist()) for index in rejected})


def find_out_of_bounds(values: FloatArray) -> list[int]:
    """Return the ascending indices of rows (n, 8) that are out of bounds or not finite."""
    rejected: list[int] = np.flatnonzero(~within_bounds(values).all(axis=1)).tolist()
    return rejected


def validate_objects(objects: Sequence[Any]) -> Rows:
    """Return rows from parsed JSON values.

    An item that is already a RowError stands for a row that could not be parsed.
    """
    values, errors = np.zeros((len(objects), len(FEATURE_NAMES))), {}
    for index, value in enumerate(objects):
        if isinstance(value, RowError):
            errors[index] = value
        elif isinstance(value, dict) and len(value) > MAX_MEMBERS:
            errors[index] = TOO_MANY_MEMBERS
        else:
            try:
                values[index] = to_numbers(HouseFeatures.model_validate(value))
            except ValidationError as error:
                errors[index] = to_row_error(error.errors())
    return Rows(values, errors)


def to_floats(numbers: Collection[float]) -> FloatArray:
    """Return Python numbers as a read-only array (n,), in half the time that NumPy takes.

    True counts as 1. Raises ValueError if one is not a number, or too large for a float.
    """
    try:
        return np.frombuffer(struct.pack(f"{len(numbers)}d", *numbers), dtype=np.float64)
    except (struct.error, OverflowError) as error:
        raise ValueError("every value must be a number within the range of floats") from error


def _bounds_error(numbers: list[float]) -> RowError:
    try:
        HouseFeatures.model_validate(dict(zip(FEATURE_NAMES, numbers, strict=True)))
    except ValidationError as error:
        return to_row_error(error.errors())
    raise AssertionError("HouseFeatures must have the bounds of FEATURES")
