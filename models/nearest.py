"""The nearest rows, on the map and by likeness."""

from typing import NamedTuple

import numpy as np

from models.arrays import FloatArray, Indices
from models.map_index import MapIndex

UNITS = 1e6  # in a kilometre; what differs by less than one is a tie


class Neighbours(NamedTuple):
    """What a search finds by each of r distances; nearest first."""

    distances: FloatArray  # (r, count)
    kilometres: FloatArray  # (r, count), on the map
    rows: Indices  # (r, count)

    def without(self, row: int) -> "Neighbours":
        """One neighbour less: the row where it is one, else the last."""
        if row < 0:
            return Neighbours(self.distances[:, :-1], self.kilometres[:, :-1], self.rows[:, :-1])
        kept = np.argsort(self.rows == row, axis=1, kind="stable")[:, :-1]
        kept += np.arange(len(kept))[:, np.newaxis] * self.rows.shape[1]
        return Neighbours(
            self.distances.take(kept), self.kilometres.take(kept), self.rows.take(kept)
        )


class NeighbourSearch:
    """Rows in places (n, 2) and with columns (n, k), to find the nearest of.

    The distances are sqrt(|places|^2 + reach^2 |columns|^2), for each of some reaches (r,): how far
    a unit of unlikeness counts. By each of them, the nearest are looked for among the `around` rows
    that are nearest on the map, and those that tie with them. Rows at the same distance stand in
    their order.
    """

    def __init__(
        self, places: FloatArray, columns: FloatArray, reaches: FloatArray, around: int
    ) -> None:
        self._map = MapIndex(places, around)
        self._columns = columns
        self._squared_reaches = (reaches**2)[:, np.newaxis]

    def find(self, place: FloatArray, columns: FloatArray, count: int) -> Neighbours:
        """The nearest `count` rows to a place (2,) and columns (k,); at most as many as are around.

        Raises OverflowError where the place is so far away that distances exceed 63 bits.
        """
        rows, squares = self._map.around(place)
        steps = self._columns.take(rows, axis=0)
        steps -= columns
        unlikeness = np.vecdot(steps, steps)
        units = np.rint(np.sqrt(squares + self._squared_reaches * unlikeness) * UNITS)
        # Distance and position become one integer: sorted at once, and in this order.
        if units.max() * len(rows) >= 2.0**63:
            raise OverflowError("the place must be nearer, however it is too far away")
        keys = units.astype(np.int64)
        keys *= len(rows)
        keys += np.arange(len(rows))
        keys.sort(axis=1)
        keys = keys[:, :count]
        positions = keys % len(rows)
        units = keys // len(rows)
        return Neighbours(units / UNITS, np.sqrt(squares.take(positions)), rows.take(positions))
