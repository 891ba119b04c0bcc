"""Encode a row by its own columns and by summaries of the training rows around it.

The neighbours are the training rows nearest on the map. Nearer ones weigh more, by several
distances and several powers of each. A distance is geographic, or geographic combined with the
difference in the other columns, so that a similar block group further away may weigh more. Each
weighting yields the neighbours' mean price, its spread, the share of capped prices, the mean
differences in the other columns, the mean log distance and the log of the total weight.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np

from models.arrays import ComplexArray, FloatArray, Indices
from models.features import FEATURES
from models.spatial_index import SpatialIndex

NEIGHBOURS = 128  # and those that tie with the last
SOFTENING = 0.1  # of a reach, or km for the geographic distance; bounds the weight of near rows
POWERS = (1, 2, 4, 8)  # of 1 / distance, each the square of the one before
CAPPED_PRICE = 4.99  # 100,000 USD; the data end at 5.00001
SAME_ROW = 1e-3  # km, by the longest reach; a reference row this near is the row itself
LOG_OFFSET = 0.05  # km; block groups share coordinates, and log(0) is infinite
MIN_SPREAD = 0.01  # 100,000 USD; keeps the square root smooth
LOG_FLOORS = np.array([0.1, 0.1, 0.0, 0.0, 0.0, 0.0])  # an income may be 0; the age has no log

NEAREST = len(FEATURES)  # the input that holds the log distance to the nearest neighbour
MIN_REFERENCE_ROWS = 2  # a reference row that is encoded still has one neighbour

# The columns of the table of neighbours.
PRICE, SQUARED_PRICE, IS_CAPPED = 0, 1, 2
DIFFERENCES = slice(3, 11)  # the neighbour's compared columns minus the row's
LOG_KILOMETRES = 11
ONE = 12  # its weighted sum is the total weight, which normalises the other sums
NEIGHBOUR_COLUMNS = 13

REFERENCE_LATITUDE, REFERENCE_LONGITUDE = 36.0, -119.5  # degrees, the middle of California
KM_PER_LATITUDE = 111.2
KM_PER_LONGITUDE = KM_PER_LATITUDE * math.cos(math.radians(REFERENCE_LATITUDE))
"""Exact at the reference latitude, and within 10 % all over the state."""


@overload
def project(latitude: float, longitude: float) -> complex: ...


@overload
def project(latitude: FloatArray, longitude: FloatArray) -> ComplexArray: ...


def project(latitude: Any, longitude: Any) -> Any:
    """Project degrees onto a plane: km east + km north j of the middle of California."""
    east = (longitude - REFERENCE_LONGITUDE) * KM_PER_LONGITUDE
    north = (latitude - REFERENCE_LATITUDE) * KM_PER_LATITUDE
    return east + 1j * north


def compared_columns(rows: FloatArray) -> FloatArray:
    """Return the columns (n, 8) in which rows (n, 8) are compared; logarithms of long tails.

    They are the logarithms of the first six features (but the age itself), the logarithm of the
    number of households, and the income itself.
    """
    columns = np.empty((len(rows), 8))
    np.maximum(rows[:, :6], LOG_FLOORS, out=columns[:, :6])
    np.log(columns[:, :6], out=columns[:, :6])
    columns[:, 1] = rows[:, 1]  # the age has no long tail
    np.subtract(columns[:, 4], columns[:, 5], out=columns[:, 6])  # households = people / AveOccup
    columns[:, 7] = rows[:, 0]
    return columns


@dataclass(frozen=True)
class NeighbourEncoder:
    """A row's own columns, and summaries of the reference rows around it."""

    reference_rows: FloatArray  # (n, 8), the training rows
    reference_targets: FloatArray  # (n,), 100,000 USD
    column_mean: FloatArray  # (8,), of the training rows' compared columns
    column_scale: FloatArray  # (8,), their standard deviation
    likeness: FloatArray  # (8,), the weight of each compared column in the distance
    reaches: FloatArray  # (distances,), km per unit of difference, ascending; 0: geographic

    # Derived, and not saved.
    _index: SpatialIndex = field(init=False, repr=False)
    _neighbour_table: FloatArray = field(init=False, repr=False)  # (n, NEIGHBOUR_COLUMNS)
    _squared_reaches: FloatArray = field(init=False, repr=False)  # (distances, 1), km^2
    _squared_units: FloatArray = field(init=False, repr=False)  # (distances, 1), km^2
    _squared_softening: FloatArray = field(init=False, repr=False)  # (distances, 1), km^2

    def __post_init__(self) -> None:
        if len(self.reference_rows) < MIN_REFERENCE_ROWS:
            raise ValueError(
                f"the encoder must have at least {MIN_REFERENCE_ROWS} reference rows, "
                f"got {len(self.reference_rows)}"
            )
        if not (self.column_scale > 0).all():
            raise ValueError(f"every scale must be above 0, got {self.column_scale.min():g}")
        if (np.diff(self.reaches) <= 0).any():
            raise ValueError(f"the reaches must ascend, got {self.reaches.tolist()}")
        places = project(self.reference_rows[:, 6], self.reference_rows[:, 7])
        columns = self.columns(self.reference_rows)
        squared_reaches = (self.reaches**2)[:, np.newaxis]
        squared_units = np.where(squared_reaches > 0, squared_reaches, 1.0)
        for name, value in (
            ("_index", SpatialIndex(places, NEIGHBOURS)),
            ("_neighbour_table", _neighbour_table(self.reference_targets, columns)),
            ("_squared_reaches", squared_reaches),
            ("_squared_units", squared_units),
            ("_squared_softening", SOFTENING**2 * squared_units),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def fit(
        cls, rows: FloatArray, targets: FloatArray, likeness: FloatArray, reaches: FloatArray
    ) -> "NeighbourEncoder":
        """Build an encoder with training rows (n, 8) and targets (n,) as its reference."""
        columns = compared_columns(rows)
        scale = columns.std(axis=0)
        scale[scale < 1e-9 * np.abs(columns).max(axis=0)] = 1.0  # constant up to rounding
        return cls(rows, targets, columns.mean(axis=0), scale, likeness, reaches)

    def with_reference_rows(self, indices: Indices) -> "NeighbourEncoder":
        """Return the same encoder with a subset of the reference rows."""
        return replace(
            self,
            reference_rows=self.reference_rows[indices],
            reference_targets=self.reference_targets[indices],
        )

    def columns(self, rows: FloatArray) -> FloatArray:
        """Return the standardised compared columns (n, 8) of rows (n, 8)."""
        columns = compared_columns(rows)
        columns -= self.column_mean
        columns /= self.column_scale
        return columns

    def transform(self, rows: FloatArray, *, excluding: Indices | None = None) -> FloatArray:
        """Encode rows (n, 8) as inputs (n, inputs).

        A reference row equal to the encoded row, up to rounding, is not one of its neighbours.
        `excluding` (n,) gives the index of that reference row when it is known.
        """
        weightings = len(POWERS) * len(self.reaches)
        inputs = np.empty((len(rows), NEAREST + 1 + weightings * NEIGHBOUR_COLUMNS))
        inputs[:, :NEAREST] = columns = self.columns(rows)
        sums = inputs[:, NEAREST + 1 :].reshape(len(rows), weightings, NEIGHBOUR_COLUMNS)  # a view
        excluded = [None] * len(rows) if excluding is None else excluding.tolist()
        for index, (latitude, longitude) in enumerate(rows[:, 6:].tolist()):
            inputs[index, NEAREST] = self._sum_neighbours(
                project(latitude, longitude), columns[index], excluded[index], out=sums[index]
            )
        _normalise(sums)
        return inputs

    def nearest_kilometres(self, inputs: FloatArray) -> FloatArray:
        """Return the distance (n,) to the nearest neighbour, km, from inputs (n, inputs)."""
        return np.exp(inputs[:, NEAREST]) - LOG_OFFSET

    def _sum_neighbours(
        self, place: complex, columns: FloatArray, excluded: int | None, *, out: FloatArray
    ) -> float:
        """Write the weighted sums over the neighbours; return the log distance to the nearest."""
        rows, kilometres = self._index.around(place)
        table = self._neighbour_table.take(rows, axis=0)
        differences = table[:, DIFFERENCES]
        differences -= columns
        log_kilometres = np.log(kilometres + LOG_OFFSET, out=table[:, LOG_KILOMETRES])
        squares = self._squared_reaches * ((differences * differences) @ self.likeness)
        squares += kilometres * kilometres
        position = _own_position(excluded, rows, squares)
        if position is not None:
            kilometres[position] = np.inf
            squares[:, position] = np.inf
        np.matmul(self._weights(squares), table, out=out)
        return float(log_kilometres[kilometres.argmin()])

    def _weights(self, squares: FloatArray) -> FloatArray:
        """Weigh neighbours by squared distances (distances, k); returns (weightings, k)."""
        weights = np.empty((len(POWERS), *squares.shape))
        np.divide(self._squared_units, squares + self._squared_softening, out=weights[1])
        np.sqrt(weights[1], out=weights[0])
        for index in range(2, len(POWERS)):
            np.square(weights[index - 1], out=weights[index])
        return weights.reshape(-1, squares.shape[1])


def _neighbour_table(prices: FloatArray, columns: FloatArray) -> FloatArray:
    """Build the table (n, NEIGHBOUR_COLUMNS); two of its columns depend on the encoded row."""
    table = np.ones((len(prices), NEIGHBOUR_COLUMNS))
    table[:, PRICE] = prices
    table[:, SQUARED_PRICE] = prices * prices + MIN_SPREAD**2
    table[:, IS_CAPPED] = prices >= CAPPED_PRICE
    table[:, DIFFERENCES] = columns
    return table


def _own_position(excluded: int | None, rows: Indices, squares: FloatArray) -> int | None:
    """Find the encoded row itself among its neighbours (k,): the known index, or no distance."""
    if excluded is not None:
        position = int((rows == excluded).argmax())
        return position if rows[position] == excluded else None
    distances = squares[-1]  # by the longest reach, at which the other columns count most
    nearest = distances.argmin()
    return int(nearest) if distances[nearest] < SAME_ROW**2 else None


def _normalise(sums: FloatArray) -> None:
    """Turn weighted sums (n, weightings, columns) into means, in place.

    The mean square of the prices becomes their spread, and the total weight its logarithm.
    """
    weights = sums[..., ONE:].copy()
    sums /= weights
    np.log(weights, out=sums[..., ONE:])
    prices, spread = sums[..., PRICE], sums[..., SQUARED_PRICE]
    spread -= prices * prices
    np.sqrt(spread, out=spread)
