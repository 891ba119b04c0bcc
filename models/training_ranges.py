"""The ranges of the training rows; a prediction outside them is an extrapolation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.arrays import FloatArray
from models.features import FEATURES, TARGET, Column


@dataclass(frozen=True, slots=True)
class TrainingRanges:
    """The minimum and maximum of each column, in its own unit."""

    feature_minimum: FloatArray  # (8,)
    feature_maximum: FloatArray  # (8,)
    target_minimum: float
    target_maximum: float
    by_feature: tuple[tuple[Column, float, float], ...] = field(init=False, repr=False)
    """Each feature with its minimum and maximum."""

    def __post_init__(self) -> None:
        minimum, maximum = self.feature_minimum.tolist(), self.feature_maximum.tolist()
        object.__setattr__(self, "by_feature", (*zip(FEATURES, minimum, maximum, strict=True),))

    @classmethod
    def from_rows(cls, rows: FloatArray, targets: FloatArray) -> "TrainingRanges":
        """Return the ranges of rows (n, 8) and their targets (n,)."""
        return cls(rows.min(axis=0), rows.max(axis=0), float(targets.min()), float(targets.max()))

    def to_json(self) -> dict[str, Any]:
        """Return `features` and `target` as JSON types."""
        target = _to_json(TARGET, self.target_minimum, self.target_maximum)
        return {"features": [_to_json(*entry) for entry in self.by_feature], "target": target}

    @classmethod
    def from_json(
        cls, features: Sequence[Mapping[str, Any]], target: Mapping[str, Any]
    ) -> "TrainingRanges":
        """Build the ranges from the output of `to_json`.

        Raises ValueError if a column has another name or unit, or no range of two floats.
        """
        for entry, column in zip([*features, target], [*FEATURES, TARGET], strict=True):
            low, high = entry["minimum"], entry["maximum"]
            expected = _to_json(column, low, high)
            if entry != expected or type(low) is not float or type(high) is not float or low > high:
                raise ValueError(
                    f"the range of {column.name} must be a minimum and a maximum in {column.unit}, "
                    f"got {dict(entry)!s:.200}"
                )
        minimum, maximum = ([entry[end] for entry in features] for end in ("minimum", "maximum"))
        return cls(np.array(minimum), np.array(maximum), target["minimum"], target["maximum"])


def _to_json(column: Column, minimum: float, maximum: float) -> dict[str, Any]:
    return {"name": column.name, "unit": column.unit, "minimum": minimum, "maximum": maximum}
