"""The eight features of a block group: their order, units and physical bounds, written once."""

from typing import NamedTuple

from models.arrays import FloatArray

TARGET_NAME = "MedHouseVal"
TARGET_UNIT = "100,000 USD (1990)"


class Feature(NamedTuple):
    """One column of the data set, and the numbers that can physically stand in it."""

    name: str
    unit: str
    description: str
    minimum: float
    maximum: float
    above_minimum: bool = False
    """Whether the minimum itself is out of bounds."""

    @property
    def bounds(self) -> str:
        """The bounds in words, as `from 0 to 100 years`."""
        lower = (
            f"above {self.minimum:,g} and up" if self.above_minimum else f"from {self.minimum:,g}"
        )
        return f"{lower} to {self.maximum:,g} ({self.unit})"

    def allows(self, number: float) -> bool:
        """Whether the number is within the bounds; never true of NaN or infinity."""
        above = number > self.minimum if self.above_minimum else number >= self.minimum
        return above and number <= self.maximum


FEATURES = (
    Feature("MedInc", "10,000 USD", "median household income", 0, 100),
    Feature("HouseAge", "years", "median age of the houses", 0, 200),
    Feature(
        "AveRooms", "rooms per household", "average number of rooms", 0, 1_000, above_minimum=True
    ),
    Feature(
        "AveBedrms",
        "bedrooms per household",
        "average number of bedrooms",
        0,
        1_000,
        above_minimum=True,
    ),
    Feature("Population", "people", "people in the block group", 0, 100_000, above_minimum=True),
    Feature(
        "AveOccup", "people per household", "average household size", 0, 10_000, above_minimum=True
    ),
    Feature("Latitude", "degrees", "latitude, north positive", 32, 43),
    Feature("Longitude", "degrees", "longitude, east positive", -125, -114),
)
"""In the order of the data set, which is the order of the columns of every row in this project."""

FEATURE_NAMES = tuple(feature.name for feature in FEATURES)


class TrainingRanges(NamedTuple):
    """What the training rows held: outside of it a prediction is extrapolation."""

    feature_minimum: FloatArray  # (8,)
    feature_maximum: FloatArray  # (8,)
    target_minimum: float  # 100,000 USD
    target_maximum: float  # 100,000 USD

    @classmethod
    def of(cls, rows: FloatArray, targets: FloatArray) -> "TrainingRanges":
        """The ranges of rows (n, 8) and their targets (n,)."""
        return cls(rows.min(axis=0), rows.max(axis=0), float(targets.min()), float(targets.max()))
