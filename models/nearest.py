"""The nearest rows, on the map and by likeness, exactly."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray, Indices
from models.candidates import Candidates

UNITS = 1e6  # in a kilometre; what differs by less than one is a tie
WINDOW = 60.0  # km along the map, to either side of a query, that are looked at first
SPREAD = 40.0  # km along the map, from the first of the queries that share a window
GROUP = 16  # queries that share a window at most: their distances to it stay in the cache


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What a search finds for each of m queries by each of r distances; nearest first."""

    distances: FloatArray  # (m, r, count)
    rows: Indices  # (m, r, count)

    def without(self, excluded: Indices) -> "Neighbours":
        """One neighbour less: the row (m,) that is excluded for a query, else the last."""
        if (excluded < 0).all():
            return Neighbours(self.distances[..., :-1], self.rows[..., :-1])
        is_excluded = self.rows == excluded[:, np.newaxis, np.newaxis]
        kept = np.argsort(is_excluded, axis=2, kind="stable")[..., :-1]
        return Neighbours(
            np.take_along_axis(self.distances, kept, axis=2),
            np.take_along_axis(self.rows, kept, axis=2),
        )


class NeighbourSearch:
    """Rows in places (n, 2) and with columns (n, k), to find the nearest of.

    The distances are sqrt(|places|^2 + reach^2 |columns|^2), for each of some reaches (r,): how far
    a unit of unlikeness counts. Rows within a window of the map are looked at first, and all rows
    where a neighbour might be outside of it; a window is across the axis along which the rows are
    spread most. A first pass leaves out what is certainly too far; the rest is measured in float64.
    Rows at the same distance stand in their order, so that a query alone gets the same answer as in
    a batch.
    """

    def __init__(self, places: FloatArray, columns: FloatArray, reaches: FloatArray) -> None:
        squared = (reaches**2)[:, np.newaxis]
        self._weights = np.hstack([np.ones((len(reaches), 2)), squared.repeat(columns.shape[1], 1)])
        self._points = np.hstack([places, columns])
        self._axis = _long_axis(places)
        self._rows = self.order(places)
        self._along = (places @ self._axis)[self._rows]
        self._candidates = Candidates(self._points[self._rows], self._weights)

    def order(self, places: FloatArray) -> Indices:
        """The order (m,) of queries in places (m, 2) in which they are found soonest."""
        return (places @ self._axis).argsort()

    def find(self, places: FloatArray, columns: FloatArray, count: int) -> Neighbours:
        """The nearest `count` rows to queries in places (m, 2) and with columns (m, k).

        Queries that follow each other, and are close on the map, share work. Raises OverflowError
        where they are so many and so far away that pairs, distances and rows exceed 63 bits: 100 of
        10,000 rows at 300,000 km.
        """
        points = np.concatenate([places, columns], axis=1)
        if len(points) == 0:
            none = np.empty((0, len(self._weights), count))
            return Neighbours(none, none.astype(np.intp))
        along = (places @ self._axis).tolist()
        windows = [(queries, self._window(along[queries], count)) for queries in _runs(along)]
        found = self._find(points, windows, count)
        far = np.flatnonzero(found.distances[:, :, -1].max(axis=1) >= WINDOW)
        if len(far) > 0:
            everywhere = slice(0, len(self._rows))
            runs = [slice(start, start + GROUP) for start in range(0, len(far), GROUP)]
            again = self._find(points[far], [(queries, everywhere) for queries in runs], count)
            found.distances[far], found.rows[far] = again.distances, again.rows
        return found

    def _window(self, along: list[float], count: int) -> slice:
        """The rows around queries that stand at some kilometres, `count` of them at least."""
        ends = min(along) - WINDOW, max(along) + WINDOW
        start, stop = self._along.searchsorted(ends).tolist()
        stop = max(stop, count)
        return slice(min(start, stop - count), stop)

    def _find(self, points: FloatArray, parts: list[tuple[slice, slice]], count: int) -> Neighbours:
        """The nearest to points (m, d): for slices of them, among slices of the rows."""
        factors, errors = self._candidates.factors(points)
        pairs, near = [], []
        for queries, part in parts:
            lines, some = self._candidates.near(factors[queries], errors[queries], part, count)
            lines += queries.start * len(self._weights)
            pairs.append(lines)
            near.append(some)
        rows = self._rows.take(np.concatenate(near))
        return self._measure(points, np.concatenate(pairs), rows, count)

    def _measure(self, points: FloatArray, pairs: Indices, rows: Indices, count: int) -> Neighbours:
        """The nearest of candidate rows (t,), each for a pair (t,): query x r + reach, ascending.

        Pair, distance in units and row become one integer: sorted at once, and in this order.
        """
        queries, reaches = np.divmod(pairs, len(self._weights))
        steps = self._points.take(rows, axis=0)
        steps -= points.take(queries, axis=0)
        steps *= steps
        squares = np.einsum("td,td->t", steps, self._weights.take(reaches, axis=0))
        units = np.rint(np.sqrt(squares) * UNITS).astype(np.int64)
        span = int(units.max()) + 1
        lines = len(points) * len(self._weights)
        if lines * span * len(self._rows) >= 2**63:
            raise OverflowError("the queries must be fewer or nearer, however they are far away")
        keys = (pairs * span + units) * len(self._rows) + rows
        keys.sort()
        starts = pairs.searchsorted(np.arange(lines)).reshape(len(points), -1, 1)
        units, rows = np.divmod(keys.take(starts + np.arange(count)), len(self._rows))
        return Neighbours(units % span / UNITS, rows)


def _long_axis(places: FloatArray) -> FloatArray:
    """The direction (2,) in which places (n, 2) are spread most."""
    centred = places - places.mean(axis=0)
    axis: FloatArray = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    return axis


def _runs(along: list[float]) -> Iterator[slice]:
    """Queries that follow each other and stand within SPREAD kilometres of the first of them."""
    start = 0
    for stop in range(1, len(along) + 1):
        if stop == len(along) or stop == start + GROUP or abs(along[stop] - along[start]) > SPREAD:
            yield slice(start, stop)
            start = stop
