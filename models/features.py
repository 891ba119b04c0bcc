"""The eight features of a block group: the one source of their order, units and bounds."""

import math
from typing import NamedTuple

import numpy as np

from models.arrays import BoolArray, FloatArray

TARGET_UNIT = "100,000 USD of 1990"


class Column(NamedTuple):
    """One column of the data set with its physical bounds."""

    name: str
    unit: str
    description: str
    minimum: float
    maximum: float
    excludes_minimum: bool = False

    @property
    def bounds(self) -> str:
        """The bounds as text, such as `from 0 to 200 (years)`."""
        lower = (
            f"above {self.minimum:,g} and up"
            if self.excludes_minimum
            else f"from {self.minimum:,g}"
        )
        return f"{lower} to {self.maximum:,g} ({self.unit})"

    @property
    def lowest(self) -> float:
        """The lowest number within the bounds."""
        return math.nextafter(self.minimum, math.inf) if self.excludes_minimum else self.minimum

    def allows(self, number: float) -> bool:
        """Return whether a number is within the bounds; NaN and infinity are not."""
        return self.lowest <= number <= self.maximum


FEATURES = (
    Column("MedInc", "10,000 USD", "median household income", 0, 100),
    Column("HouseAge", "years", "median age of the houses", 0, 200),
    Column(
        "AveRooms",
        "rooms per household",
        "average number of rooms",
        0,
        1_000,
        excludes_minimum=True,
    ),
    Column(
        "AveBedrms",
        "bedrooms per household",
        "average number of bedrooms",
        0,
        1_000,
        excludes_minimum=True,
    ),
    Column("Population", "people", "people in the block group", 0, 100_000, excludes_minimum=True),
    Column(
        "AveOccup",
        "people per household",
        "average household size",
        0,
        10_000,
        excludes_minimum=True,
    ),
    Column("Latitude", "degrees", "latitude, north positive", 32, 43),
    Column("Longitude", "degrees", "longitude, east positive", -125, -114),
)
"""In the order of the data set, which is the order of the columns of every row."""

FEATURE_NAMES = tuple(feature.name for feature in FEATURES)

TARGET = Column("MedHouseVal", TARGET_UNIT, "median house value", 0, 100, excludes_minimum=True)

_LOWEST = np.array([feature.lowest for feature in FEATURES])
_HIGHEST = np.array([feature.maximum for feature in FEATURES])


def within_bounds(rows: FloatArray) -> BoolArray:
    """Return whether each number of rows (n, 8) is within its bounds, (n, 8); NaN is not."""
    return (rows >= _LOWEST) & (rows <= _HIGHEST)
