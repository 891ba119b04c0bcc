"""Which rows are around a place on the map, without looking at all of them."""

import math

import numpy as np

from models.arrays import FloatArray, Indices

BOX_ROWS = 32  # all boxes but the last are full

# What is as far as a limit, give or take its rounding, is around.
ROUNDING_SHARE = 1.0 + 1e-9
ROUNDING_SQUARE = 1e-6  # km^2


class MapIndex:
    """Rows in places (n, 2), to find the `count` nearest of a place, and all that tie with them.

    The rows are packed into boxes: sorted into strips from west to east, and within each strip from
    south to north (Leutenegger, Lopez and Edgington, "STR: A Simple and Efficient Algorithm for
    R-Tree Packing", ICDE 1997). Where the farthest corner of enough boxes is within some distance,
    enough rows are, and no box needs to be looked into that begins beyond it.
    """

    def __init__(self, places: FloatArray, count: int) -> None:
        self._count = min(count, len(places))
        rows = _pack(places)
        boxes = math.ceil(len(rows) / BOX_ROWS)
        missing = boxes * BOX_ROWS - len(rows)
        self._enough = min(math.ceil((self._count + missing) / BOX_ROWS), boxes)
        self._rows = np.pad(rows, (0, missing), mode="edge").reshape(boxes, BOX_ROWS)
        self._places = places.T.take(self._rows, axis=1)  # (2, boxes, BOX_ROWS)
        low, high = self._places.min(axis=2), self._places.max(axis=2)
        self._centres, self._halves = (low + high) / 2.0, (high - low) / 2.0
        self._places[:, -1, BOX_ROWS - missing :] = np.inf  # no row

    def around(self, place: FloatArray) -> tuple[Indices, FloatArray]:
        """The rows around a place (2,), ascending, and their squared distances from it."""
        boxes = self._boxes_around(place[:, np.newaxis])
        steps = self._places.take(boxes, axis=1)
        steps -= place[:, np.newaxis, np.newaxis]
        steps *= steps
        squares = (steps[0] + steps[1]).ravel()
        near = _within(squares, squares, self._count)
        rows = self._rows.take(boxes, axis=0).take(near)
        order = rows.argsort()
        return rows.take(order), squares.take(near.take(order))

    def _boxes_around(self, place: FloatArray) -> Indices:
        """The boxes that can hold rows around a place (2, 1)."""
        steps = np.abs(self._centres - place)
        beginnings = np.maximum(steps - self._halves, 0.0)
        beginnings *= beginnings
        steps += self._halves  # to the farthest corners
        steps *= steps
        return _within(beginnings[0] + beginnings[1], steps[0] + steps[1], self._enough)


def _within(squares: FloatArray, limits: FloatArray, count: int) -> Indices:
    """Which squared distances are within the limit that comes at the place `count`, from below."""
    limit = np.partition(limits, count - 1)[count - 1]
    near: Indices = (squares <= limit * ROUNDING_SHARE + ROUNDING_SQUARE).nonzero()[0]
    return near


def _pack(places: FloatArray) -> Indices:
    """The rows in an order in which each BOX_ROWS of them are close together."""
    boxes = math.ceil(len(places) / BOX_ROWS)
    strip_rows = math.ceil(math.sqrt(boxes)) * BOX_ROWS
    from_west = places[:, 0].argsort(kind="stable")
    strips = np.split(from_west, range(strip_rows, len(places), strip_rows))
    return np.concatenate([strip[places[strip, 1].argsort(kind="stable")] for strip in strips])
