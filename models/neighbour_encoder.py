"""What the neighbours cost: the nearest training rows, summed up as inputs of a network.

A block group's neighbours are looked for by three distances: on the map alone, and on the map with
the unlikeness of the other columns added, so that a like block group further away may count as
nearer. For each distance, several weightings of the neighbours give mean, spread and share of
capped prices, their distances, and how they differ from the row.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from models.arrays import FloatArray, Indices
from models.nearest import Neighbours, NeighbourSearch

NEIGHBOURS = 32
RANKS = (1, 2, 4, 8, 16, 32)  # the mean of the nearest 1, 2, 4, ... neighbours
POWERS = (1, 2, 4)  # the mean weighted by 1 / distance^power; each is the square of the last
DIFFERENCES_OF = np.array([0, 3, 8])  # the weightings that tell the differences of the columns, too
CAPPED = 4.99  # 100,000 USD; the data end at 5.00001
THE_SAME = 1e-3  # km, by the widest reach: the row itself, give or take its rounding
NEAREST_ON_MAP = 3  # of the summaries, the first's logarithm of kilometres
NEARLY_ZERO = 0.05  # km; block groups share coordinates
CHUNK = 128  # rows at a time, so that what is computed of them stays in the cache
LONG_TAILED = np.array([True, False, True, True, True, True])  # all of the six but the age

KM_PER_DEGREE = 111.2
REFERENCE_LATITUDE, REFERENCE_LONGITUDE = 36.0, -119.5  # degrees, California's middle
EAST_PER_NORTH = float(np.cos(np.radians(REFERENCE_LATITUDE)))  # a degree's length, relatively
"""The scale of the map: kilometres from the middle, to within a tenth all over the state."""


def on_the_map(rows: FloatArray) -> FloatArray:
    """Kilometres east and north of California's middle, (n, 2), of rows (n, 8)."""
    places = np.empty((len(rows), 2))
    places[:, 0] = (rows[:, 7] - REFERENCE_LONGITUDE) * EAST_PER_NORTH
    places[:, 1] = rows[:, 6] - REFERENCE_LATITUDE
    places *= KM_PER_DEGREE
    return places


def columns_of(rows: FloatArray) -> FloatArray:
    """What of rows (n, 8) is compared besides the place, (n, 8); logarithms of long tails."""
    columns = np.empty((len(rows), 8))
    columns[:, :6] = rows[:, :6]
    columns[:, 0] = np.maximum(rows[:, 0], 0.1)  # an income may be 0
    np.log(columns[:, :6], out=columns[:, :6], where=LONG_TAILED)
    columns[:, 6] = columns[:, 4] - columns[:, 5]  # of the households: people / people in each
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

    def __post_init__(self) -> None:
        if not (self.column_scale > 0).all():
            raise ValueError(f"every scale must be above 0, however: {self.column_scale.min():g}")
        places, columns = on_the_map(self.reference_rows), self.columns(self.reference_rows)
        # Derived once, and not saved.
        object.__setattr__(self, "_places", places)
        object.__setattr__(self, "_columns", columns)
        object.__setattr__(self, "_roots", np.sqrt(self.likeness))
        search = NeighbourSearch(places, columns * self._roots, self.reaches)
        object.__setattr__(self, "_search", search)
        units = np.where(self.reaches > 0, self.reaches, 1.0)[:, np.newaxis]
        object.__setattr__(self, "_units", units)

    _places: ClassVar[FloatArray]
    _columns: ClassVar[FloatArray]
    _roots: ClassVar[FloatArray]  # of the likeness, as a factor of columns
    _search: ClassVar[NeighbourSearch]
    _units: ClassVar[FloatArray]  # (distances, 1), of the distances as they are summed up

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
        """Rows (n, 8) as standardised columns (n, 8), at most 5 standard deviations from 0."""
        standardised = (columns_of(rows) - self.column_mean) / self.column_scale
        return np.maximum(np.minimum(standardised, 5.0), -5.0)

    def transform(self, rows: FloatArray, *, excluding: Indices | None = None) -> FloatArray:
        """Rows (n, 8) to inputs (n, inputs).

        A reference row that is the row itself, give or take rounding, is not its own neighbour;
        `excluding` (n,) names it where it is known.
        """
        if len(rows) <= 1:
            return self._transform(rows, excluding)
        order = self._search.order(on_the_map(rows))
        inputs = [
            self._transform(rows[chunk], None if excluding is None else excluding[chunk])
            for chunk in np.split(order, range(CHUNK, len(rows), CHUNK))
        ]
        return np.concatenate(inputs)[order.argsort()]

    def kilometres(self, inputs: FloatArray) -> FloatArray:
        """How far the nearest neighbour on the map is, (n,), as told in inputs (n, inputs)."""
        return np.exp(inputs[:, self.reference_rows.shape[1] + NEAREST_ON_MAP]) - NEARLY_ZERO

    def _transform(self, rows: FloatArray, excluding: Indices | None) -> FloatArray:
        places, columns = on_the_map(rows), self.columns(rows)
        found = self._find(places, columns * self._roots, excluding)
        # Of many rows, `take` is several times as fast as an index.
        steps = places[:, np.newaxis, np.newaxis] - self._places.take(found.rows, axis=0)
        nearby = self._columns.take(found.rows, axis=0)
        summaries = _summaries(
            prices=self.reference_targets.take(found.rows),
            kilometres=np.sqrt(np.einsum("mrkd,mrkd->mrk", steps, steps)),
            distances=found.distances / self._units,
            differences=np.subtract(columns[:, np.newaxis, np.newaxis], nearby, out=nearby),
        )
        reaches, numbers = summaries.shape[1:]
        return np.concatenate([columns, summaries.reshape(len(rows), reaches * numbers)], axis=1)

    def _find(
        self, places: FloatArray, columns: FloatArray, excluding: Indices | None
    ) -> Neighbours:
        """The neighbours of each row, of which a reference row that is the row itself is none."""
        found = self._search.find(places, columns, NEIGHBOURS + 1)
        if excluding is None:
            nearest = found.rows[:, -1, 0]
            excluding = np.where(found.distances[:, -1, 0] < THE_SAME, nearest, -1)
        return found.without(excluding)


def _summaries(
    *, prices: FloatArray, kilometres: FloatArray, distances: FloatArray, differences: FloatArray
) -> FloatArray:
    """By each weighting: price, its spread, capped share, distances; of some, the differences.

    Prices, kilometres and distances are (m, reaches, neighbours), differences have the 8 columns as
    a last axis; the summaries are (m, reaches, numbers).
    """
    numbers = np.empty((*prices.shape[:2], 5, prices.shape[2]))
    numbers[:, :, 0] = prices
    numbers[:, :, 1] = prices * prices
    numbers[:, :, 2] = prices >= CAPPED
    numbers[:, :, 3] = kilometres
    numbers[:, :, 4] = distances
    numbers[:, :, 3:] = np.log(numbers[:, :, 3:] + NEARLY_ZERO)
    weights = _weightings(distances)
    means = weights @ numbers.transpose(0, 1, 3, 2)  # (m, reaches, weightings, 5)
    variance = means[..., 1] - means[..., 0] * means[..., 0]
    means[..., 1] = np.sqrt(np.maximum(variance, 0.0) + 1e-4)
    differing = weights.take(DIFFERENCES_OF, axis=2) @ differences
    return np.concatenate([_flat(means), _flat(differing)], axis=2)


def _flat(values: FloatArray) -> FloatArray:
    """(m, reaches, a, b) as (m, reaches, a b)."""
    return values.reshape(*values.shape[:2], values.shape[2] * values.shape[3])


def _weightings(distances: FloatArray) -> FloatArray:
    """How much each neighbour counts, (m, reaches, weightings, neighbours); each sums to 1."""
    ranks = len(RANKS)
    weights = np.empty((*distances.shape[:2], ranks + len(POWERS), NEIGHBOURS))
    weights[:, :, :ranks] = _RANK_WEIGHTS
    inverse = weights[:, :, ranks:]
    np.divide(1.0, distances + 2 * NEARLY_ZERO, out=inverse[:, :, 0])
    for index in range(1, len(POWERS)):
        np.square(inverse[:, :, index - 1], out=inverse[:, :, index])
    inverse /= inverse.sum(axis=3, keepdims=True)
    return weights


_RANK_WEIGHTS = (np.arange(NEIGHBOURS) < np.array(RANKS)[:, np.newaxis]) / np.array(RANKS)[
    :, np.newaxis
]
"""The mean of the nearest 1, 2, 4, ... neighbours, (ranks, neighbours)."""
