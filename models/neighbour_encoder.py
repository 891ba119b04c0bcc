"""What the neighbours cost: the training rows around a row, summed up as inputs of a network.

The nearer a training row is, the more it counts; and being near has three meanings: on the map
alone, and on the map with the unlikeness of the other columns added, so that a like block group
further away may count as nearer. By each meaning, weightings that fall off more or less steeply
give mean, spread and share of capped prices, the neighbours' distance and how many they are, and
how they differ from the row.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np

from models.arrays import ComplexArray, FloatArray, Indices
from models.features import FEATURES
from models.spatial_index import SpatialIndex

AROUND = 128  # rows nearest on the map, and what ties with them: the neighbours
CLOSE = 0.1  # of a reach, or of a kilometre on the map alone: nearer than that counts little more
POWERS = (1, 2, 4, 8)  # of 1 / distance, each the square of the one before
CAPPED = 4.99  # 100,000 USD; the data end at 5.00001
THE_SAME = 1e-3  # km, by the last reach: the row itself, give or take its rounding
NEARLY_ZERO = 0.05  # km; block groups share coordinates
MIN_SPREAD = 0.01  # 100,000 USD; so that the root of a spread is smooth
# Of what a logarithm is taken; an income may be 0, and the age's is not used.
SMALLEST = np.array([0.1, 0.1, 0.0, 0.0, 0.0, 0.0])

NEAREST = len(FEATURES)  # where the inputs tell the distance to the nearest neighbour
MIN_REQUESTS = 2  # reference rows, so that one that is not its own neighbour has another

# The numbers that are known of a neighbour, and where each stands.
PRICE, SQUARE, IS_CAPPED = 0, 1, 2
STEPS = slice(3, 11)  # from the row's own columns to the neighbour's
LOG_KILOMETRES = 11
ONE = 12  # a sum of ones is the sum of the weights: what the other sums are divided by
NUMBERS = 13

REFERENCE_LATITUDE, REFERENCE_LONGITUDE = 36.0, -119.5  # degrees, California's middle
KM_NORTH = 111.2  # a degree of latitude
KM_EAST = KM_NORTH * math.cos(math.radians(REFERENCE_LATITUDE))
"""The scale of the map: right to within a tenth all over the state."""


@overload
def on_the_map(latitude: float, longitude: float) -> complex: ...


@overload
def on_the_map(latitude: FloatArray, longitude: FloatArray) -> ComplexArray: ...


def on_the_map(latitude: Any, longitude: Any) -> Any:
    """Kilometres east + kilometres north j of California's middle, of degrees or arrays of them."""
    east = (longitude - REFERENCE_LONGITUDE) * KM_EAST
    north = (latitude - REFERENCE_LATITUDE) * KM_NORTH
    return east + 1j * north


def columns_of(rows: FloatArray) -> FloatArray:
    """What of rows (n, 8) is compared besides the place, (n, 8); logarithms of long tails."""
    columns = np.empty((len(rows), 8))
    np.maximum(rows[:, :6], SMALLEST, out=columns[:, :6])
    np.log(columns[:, :6], out=columns[:, :6])
    columns[:, 1] = rows[:, 1]  # the age has no long tail
    np.subtract(columns[:, 4], columns[:, 5], out=columns[:, 6])  # the households: people / each
    columns[:, 7] = rows[:, 0]  # the income as it is, beside its logarithm
    return columns


@dataclass(frozen=True)
class NeighbourEncoder:
    """A row's own columns, and summaries of the reference rows around it."""

    reference_rows: FloatArray  # (n, 8), the training rows
    reference_targets: FloatArray  # (n,), 100,000 USD
    column_mean: FloatArray  # (8,), of columns_of the training rows
    column_scale: FloatArray  # (8,)
    likeness: FloatArray  # (8,), how much a column's unlikeness counts
    reaches: FloatArray  # (distances,), km that a unit of unlikeness counts as; 0: the map alone

    # Derived once, and not saved.
    _map: SpatialIndex = field(init=False, repr=False)
    _told: FloatArray = field(init=False, repr=False)  # (n, NUMBERS), of each reference row
    _squared_reaches: FloatArray = field(init=False, repr=False)  # (distances, 1), km^2
    _squared_units: FloatArray = field(init=False, repr=False)  # (distances, 1), km^2
    _squared_close: FloatArray = field(init=False, repr=False)  # (distances, 1), km^2

    def __post_init__(self) -> None:
        if len(self.reference_rows) < MIN_REQUESTS:
            raise ValueError(
                f"the reference rows must be at least {MIN_REQUESTS}, "
                f"however they are {len(self.reference_rows)}"
            )
        if not (self.column_scale > 0).all():
            raise ValueError(f"every scale must be above 0, however: {self.column_scale.min():g}")
        if (np.diff(self.reaches) <= 0).any():
            raise ValueError(f"the reaches must ascend, however they are {self.reaches.tolist()}")
        places = on_the_map(self.reference_rows[:, 6], self.reference_rows[:, 7])
        told = _told(self.reference_targets, self.columns(self.reference_rows))
        squared_reaches = (self.reaches**2)[:, np.newaxis]
        squared_units = np.where(squared_reaches > 0, squared_reaches, 1.0)
        for name, value in (
            ("_map", SpatialIndex(places, AROUND)),
            ("_told", told),
            ("_squared_reaches", squared_reaches),
            ("_squared_units", squared_units),
            ("_squared_close", CLOSE**2 * squared_units),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def of(
        cls, rows: FloatArray, targets: FloatArray, likeness: FloatArray, reaches: FloatArray
    ) -> "NeighbourEncoder":
        """An encoder that refers to training rows (n, 8) and their targets (n,)."""
        columns = columns_of(rows)
        scale = columns.std(axis=0)
        scale[scale < 1e-9 * np.abs(columns).max(axis=0)] = 1.0  # a constant, give or take rounding
        return cls(rows, targets, columns.mean(axis=0), scale, likeness, reaches)

    def among(self, chosen: Indices) -> "NeighbourEncoder":
        """The same, with some of the reference rows only."""
        return replace(
            self,
            reference_rows=self.reference_rows[chosen],
            reference_targets=self.reference_targets[chosen],
        )

    def columns(self, rows: FloatArray) -> FloatArray:
        """Rows (n, 8) as standardised columns (n, 8)."""
        columns = columns_of(rows)
        columns -= self.column_mean
        columns /= self.column_scale
        return columns

    def transform(self, rows: FloatArray, *, excluding: Indices | None = None) -> FloatArray:
        """Rows (n, 8) to inputs (n, inputs).

        A reference row that is the row itself, give or take rounding, is not its own neighbour;
        `excluding` (n,) names it where it is known.
        """
        summaries = len(POWERS) * len(self.reaches)
        inputs = np.empty((len(rows), NEAREST + 1 + summaries * NUMBERS))
        inputs[:, :NEAREST] = columns = self.columns(rows)
        sums = inputs[:, NEAREST + 1 :].reshape(len(rows), summaries, NUMBERS)  # the same memory
        known = [None] * len(rows) if excluding is None else excluding.tolist()
        for index, (latitude, longitude) in enumerate(rows[:, 6:].tolist()):
            inputs[index, NEAREST] = self._sum_up(
                on_the_map(latitude, longitude), columns[index], known[index], out=sums[index]
            )
        _divide(sums)
        return inputs

    def kilometres(self, inputs: FloatArray) -> FloatArray:
        """How far the nearest neighbour on the map is, (n,), as told in inputs (n, inputs)."""
        return np.exp(inputs[:, NEAREST]) - NEARLY_ZERO

    def _sum_up(
        self, place: complex, columns: FloatArray, itself: int | None, *, out: FloatArray
    ) -> float:
        """Sums of the neighbours' numbers by each weighting; the logarithm of the nearest's km."""
        rows, kilometres = self._map.around(place)
        numbers = self._told.take(rows, axis=0)
        steps = numbers[:, STEPS]
        steps -= columns
        log_kilometres = np.log(kilometres + NEARLY_ZERO, out=numbers[:, LOG_KILOMETRES])
        squares = self._squared_reaches * ((steps * steps) @ self.likeness)
        squares += kilometres * kilometres
        position = _position(itself, rows, squares)
        if position is not None:
            kilometres[position] = np.inf
            squares[:, position] = np.inf
        np.matmul(self._weights(squares), numbers, out=out)
        return float(log_kilometres[kilometres.argmin()])

    def _weights(self, squares: FloatArray) -> FloatArray:
        """How much each neighbour counts by its squared distances (reaches, k), (weightings, k)."""
        weights = np.empty((len(POWERS), *squares.shape))
        np.divide(self._squared_units, squares + self._squared_close, out=weights[1])
        np.sqrt(weights[1], out=weights[0])
        for index in range(2, len(POWERS)):
            np.square(weights[index - 1], out=weights[index])
        return weights.reshape(-1, squares.shape[1])


def _told(prices: FloatArray, columns: FloatArray) -> FloatArray:
    """The numbers of neighbours, as far as they do not depend on whose neighbours they are."""
    told = np.ones((len(prices), NUMBERS))
    told[:, PRICE] = prices
    told[:, SQUARE] = prices * prices + MIN_SPREAD**2
    told[:, IS_CAPPED] = prices >= CAPPED
    told[:, STEPS] = columns
    return told


def _position(itself: int | None, rows: Indices, squares: FloatArray) -> int | None:
    """Where among its neighbours (k,) a row itself stands, if it does.

    It is a known one, or else the one at no distance, whatever unlikeness counts.
    """
    if itself is not None:
        position = int((rows == itself).argmax())
        return position if rows[position] == itself else None
    distances = squares[-1]
    nearest = distances.argmin()
    return int(nearest) if distances[nearest] < THE_SAME**2 else None


def _divide(sums: FloatArray) -> None:
    """Turn sums (m, weightings, numbers) into means, a mean square into a spread, in place.

    In place of the ones there is the logarithm of the sum of weights: how many are how near.
    """
    weights = sums[..., ONE:].copy()
    sums /= weights
    np.log(weights, out=sums[..., ONE:])
    prices, spread = sums[..., PRICE], sums[..., SQUARE]
    spread -= prices * prices
    np.sqrt(spread, out=spread)
