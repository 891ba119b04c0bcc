"""The nearest rows, on the map and by likeness, exactly, by looking at all of them."""

import math
from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray, Indices

DECIMALS = 6  # of a distance: what differs less is a tie
ROUNDING = 16.0 * float(np.finfo(np.float32).eps)
WINDOW = 60.0  # km east and west of a query that are looked at first


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What a search finds for each of m queries by each of r distances; nearest first."""

    distances: FloatArray  # (m, r, count)
    rows: Indices  # (m, r, count)


class NeighbourSearch:
    """Rows in places (n, 2) and with columns (n, k), to find the nearest of.

    The distances are sqrt(|places|^2 + reach^2 |columns|^2), for each of some reaches (r,): how far
    a unit of unlikeness counts. Rows within a window of the map are looked at first, and all rows
    where a neighbour might be outside of it. A first pass in float32, by |p|^2 - 2 p q, leaves out
    what is certainly too far; the rest is measured in float64. Rows at the same distance stand in
    their order, so that a query alone gets the same answer as in a batch.
    """

    def __init__(self, places: FloatArray, columns: FloatArray, reaches: FloatArray) -> None:
        self._rows = np.argsort(places[:, 0], kind="stable")  # from west to east
        self._places, self._columns = places[self._rows], columns[self._rows]
        self._east = np.ascontiguousarray(self._places[:, 0])
        self._squared_reaches = reaches**2
        self._rough_weights = self._squared_reaches.astype(np.float32)[:, np.newaxis]
        self._rough_places = _RoughSquares(self._places)
        self._rough_columns = _RoughSquares(self._columns)

    def find(
        self,
        places: FloatArray,
        columns: FloatArray,
        count: int,
        *,
        excluding: Indices | None = None,
    ) -> Neighbours:
        """The nearest `count` rows to queries in places (m, 2) and with columns (m, k).

        `excluding` (m,) names a row for each query that is not to be found: itself.
        """
        shape = (len(places), len(self._squared_reaches), count)
        found = Neighbours(np.empty(shape), np.empty(shape, dtype=np.intp))
        everywhere = slice(0, len(self._rows))
        for query, (place, column) in enumerate(zip(places, columns, strict=True)):
            itself = -1 if excluding is None else int(excluding[query])
            window = slice(*self._east.searchsorted((place[0] - WINDOW, place[0] + WINDOW)))
            for part in (window, everywhere):
                if part.stop - part.start <= count and part is not everywhere:
                    continue
                distances, rows = self._find_in(part, place, column, count, itself)
                if distances.max() <= WINDOW:
                    break
            found.distances[query], found.rows[query] = distances, rows
        return found

    def _find_in(
        self, part: slice, place: FloatArray, columns: FloatArray, count: int, itself: int
    ) -> tuple[FloatArray, Indices]:
        """Distances and rows (r, count) of the nearest of a part of the rows, from west to east."""
        rough = self._rough_columns.to(columns, part) * self._rough_weights
        rough += self._rough_places.to(place, part)
        rows = self._rows[part]
        if itself >= 0:
            rough[:, rows == itself] = np.inf
        reaches = len(rough)
        distances, found = np.empty((reaches, count)), np.empty((reaches, count), dtype=np.intp)
        ordered = rough.copy()
        ordered.partition(count - 1, axis=1)
        limits = ordered[:, count - 1] + self._slack(place, columns)
        for reach in range(reaches):
            (near,) = (rough[reach] <= limits[reach]).nonzero()
            exact = self._exact(place, columns, part.start + near, reach)
            order = np.lexsort((rows[near], exact))[:count]
            distances[reach], found[reach] = exact[order], rows[near[order]]
        return distances, found

    def _slack(self, place: FloatArray, columns: FloatArray) -> FloatArray:
        """More than float32 can be wrong by, in squared distances, (r,)."""
        by_place, by_column = self._rough_places.scale(place), self._rough_columns.scale(columns)
        return ROUNDING * (by_place + self._squared_reaches * by_column)

    def _exact(
        self, place: FloatArray, columns: FloatArray, near: Indices, reach: int
    ) -> FloatArray:
        steps = self._places[near] - place
        squares = np.einsum("nd,nd->n", steps, steps)
        if weight := self._squared_reaches[reach]:
            unlike = self._columns[near] - columns
            squares += weight * np.einsum("nd,nd->n", unlike, unlike)
        distances: FloatArray = np.sqrt(squares).round(DECIMALS)
        return distances


class _RoughSquares:
    """Squared distances in float32, less the query's own square: |p|^2 - 2 p q."""

    def __init__(self, points: FloatArray) -> None:
        self._centre = points.mean(axis=0)
        centred = points - self._centre
        squares = np.einsum("nd,nd->n", centred, centred)
        self._farthest = float(squares.max())
        self._squares = squares.astype(np.float32)
        self._minus_twice = np.ascontiguousarray(-2.0 * centred.T, dtype=np.float32)

    def to(self, query: FloatArray, part: slice) -> FloatArray:
        """From a query (d,) to a part of the points."""
        rough: FloatArray = (query - self._centre).astype(np.float32) @ self._minus_twice[:, part]
        rough += self._squares[part]
        return rough

    def scale(self, query: FloatArray) -> float:
        """How large the squares and products are that rounding is relative to."""
        centred = query - self._centre
        return max(self._farthest, math.sqrt(self._farthest * (centred @ centred)))
