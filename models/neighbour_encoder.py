"""What the neighbours cost: the nearest training rows, summed up as inputs of a network.

A block group's neighbours are looked for by three distances: on the map alone, and on the map with
the unlikeness of the other columns added, so that a like block group further away may count as
nearer. For each distance, several weightings of the neighbours give mean, spread and share of
capped prices, their distances, and how they differ from the row.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from models.arrays import FloatArray, Indices
from models.features import FEATURES
from models.nearest import Neighbours, NeighbourSearch

NEIGHBOURS = 32
AROUND = 128  # rows nearest on the map, of which the neighbours are taken
RANKS = (1, 2, 4, 8, 16, 32)  # the mean of the nearest 1, 2, 4, ... neighbours
POWERS = (1, 2, 4)  # the mean weighted by 1 / distance^power; each is the square of the last
DIFFERENCES_OF = (0, 3, 8)  # the weightings that tell the differences of the columns, too
CAPPED = 4.99  # 100,000 USD; the data end at 5.00001
THE_SAME = 1e-3  # km, by the widest reach: the row itself, give or take its rounding
NEARLY_ZERO = 0.05  # km; block groups share coordinates
CHUNK = 128  # rows at a time, so that what is computed of them stays in the cache
# Of what a logarithm is taken; an income may be 0, and the age's is not used.
SMALLEST = np.array([0.1, 0.1, 0.0, 0.0, 0.0, 0.0])

# The numbers that are known of a neighbour, and where each stands.
PRICE, SQUARE, IS_CAPPED = 0, 1, 2
COLUMNS = slice(3, 11)
ONE = 11  # a mean of ones is 1: what the others are divided by
LOG_KILOMETRES, LOG_DISTANCE = 12, 13
OF_ALL = (LOG_KILOMETRES, PRICE, SQUARE, IS_CAPPED, LOG_DISTANCE)
OF_SOME = (*OF_ALL, *range(COLUMNS.start, COLUMNS.stop))
TOLD = np.array(
    [
        14 * weighting + number
        for weighting in range(len(RANKS) + len(POWERS))
        for number in (OF_SOME if weighting in DIFFERENCES_OF else OF_ALL)
    ]
)
"""Of the means by each weighting, one after the other, those that the network is told."""

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
    columns[:, :6] = np.log(np.maximum(rows[:, :6], SMALLEST))
    columns[:, 1] = rows[:, 1]  # the age has no long tail
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

    # Derived once, and not saved.
    _told: FloatArray = field(init=False, repr=False)  # (n, 12), of each reference row
    _roots: FloatArray = field(init=False, repr=False)  # of the likeness, as a factor of columns
    _search: NeighbourSearch = field(init=False, repr=False)
    _units: FloatArray = field(init=False, repr=False)  # (distances, 1), of the distances

    def __post_init__(self) -> None:
        if len(self.reference_rows) <= NEIGHBOURS:
            raise ValueError(
                f"the reference rows must be more than {NEIGHBOURS}, "
                f"however they are {len(self.reference_rows)}"
            )
        if not (self.column_scale > 0).all():
            raise ValueError(f"every scale must be above 0, however: {self.column_scale.min():g}")
        places, columns = on_the_map(self.reference_rows), self.columns(self.reference_rows)
        object.__setattr__(self, "_told", _told(self.reference_targets, columns))
        object.__setattr__(self, "_roots", np.sqrt(self.likeness))
        search = NeighbourSearch(places, columns * self._roots, self.reaches, AROUND)
        object.__setattr__(self, "_search", search)
        units = np.where(self.reaches > 0, self.reaches, 1.0)[:, np.newaxis]
        object.__setattr__(self, "_units", units)

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
        inputs = np.empty((len(rows), len(FEATURES) + len(self.reaches) * len(TOLD)))
        for start in range(0, len(rows), CHUNK):
            chunk = slice(start, start + CHUNK)
            inputs[chunk] = self._transform(
                rows[chunk], None if excluding is None else excluding[chunk]
            )
        return inputs

    def kilometres(self, inputs: FloatArray) -> FloatArray:
        """How far the nearest neighbour on the map is, (n,), as told in inputs (n, inputs)."""
        return np.exp(inputs[:, len(FEATURES)]) - NEARLY_ZERO

    def _transform(self, rows: FloatArray, excluding: Indices | None) -> FloatArray:
        places, columns = on_the_map(rows), self.columns(rows)
        shape = (len(rows), len(self.reaches), NEIGHBOURS)
        distances, nearest = np.empty((*shape, 2)), np.empty(shape, dtype=np.intp)
        for index, found in enumerate(self._find(places, columns * self._roots, excluding)):
            distances[index, :, :, 0] = found.kilometres
            distances[index, :, :, 1] = found.distances
            nearest[index] = found.rows
        distances[..., 1] /= self._units
        numbers = np.concatenate(
            [self._told.take(nearest, axis=0), np.log(distances + NEARLY_ZERO)], axis=3
        )
        summaries = _summaries(numbers, _weightings(distances[..., 1]), columns)
        return np.concatenate([columns, summaries], axis=1)

    def _find(
        self, places: FloatArray, columns: FloatArray, excluding: Indices | None
    ) -> Iterator[Neighbours]:
        """The neighbours of each row, of which a reference row that is the row itself is none."""
        for index, place in enumerate(places):
            found = self._search.find(place, columns[index], NEIGHBOURS + 1)
            if excluding is not None:
                itself = int(excluding[index])
            else:
                itself = found.rows[-1, 0] if found.distances[-1, 0] < THE_SAME else -1
            yield found.without(itself)


def _told(prices: FloatArray, columns: FloatArray) -> FloatArray:
    """The numbers (n, 12) of neighbours that do not depend on whose neighbours they are."""
    ones = np.ones(len(prices))
    return np.column_stack([prices, prices * prices, prices >= CAPPED, columns, ones])


def _summaries(numbers: FloatArray, weights: FloatArray, columns: FloatArray) -> FloatArray:
    """By each weighting: price, its spread, capped share, distances; of some, the differences.

    Numbers are (m, reaches, neighbours, numbers), weights (m, reaches, weightings, neighbours) and
    columns (m, 8); the summaries are (m, inputs).
    """
    means = weights @ numbers
    means /= means[..., ONE : ONE + 1]
    variance = means[..., SQUARE] - means[..., PRICE] * means[..., PRICE]
    means[..., SQUARE] = np.sqrt(np.maximum(variance, 0.0) + 1e-4)
    means[..., COLUMNS] -= columns[:, np.newaxis, np.newaxis]
    by_reach = means.reshape(*means.shape[:2], -1).take(TOLD, axis=2)
    return by_reach.reshape(len(columns), -1)


def _weightings(distances: FloatArray) -> FloatArray:
    """How much each neighbour counts, (m, reaches, weightings, neighbours), in some unit."""
    weights = np.empty((*distances.shape[:2], len(RANKS) + len(POWERS), NEIGHBOURS))
    weights[:, :, : len(RANKS)] = _RANK_WEIGHTS
    inverse = weights[:, :, len(RANKS) :]
    np.divide(1.0, distances + 2 * NEARLY_ZERO, out=inverse[:, :, 0])
    for index in range(1, len(POWERS)):
        np.square(inverse[:, :, index - 1], out=inverse[:, :, index])
    return weights


_RANK_WEIGHTS = (np.arange(NEIGHBOURS) < np.array(RANKS)[:, np.newaxis]).astype(float)
"""The nearest 1, 2, 4, ... neighbours alike, (ranks, neighbours)."""
