"""Which rows are around a place on the map, without looking at all of them.

A place is a complex number, kilometres east + kilometres north j, so that |a - b| is a distance.
"""

import math

import numpy as np

from models.arrays import ComplexArray, FloatArray, Indices

BOX_ROWS = 16  # all boxes but the last are full

# What is as far as a limit, give or take its rounding, is around.
ROUNDING_SHARE = 1.0 + 1e-9
ROUNDING_KILOMETRES = 1e-6


class SpatialIndex:
    """Rows in places (n,), to find the `count` nearest of a place, and all that tie with them.

    The rows are packed into boxes: sorted into strips from west to east, and within each strip from
    south to north (Leutenegger, Lopez and Edgington, "STR: A Simple and Efficient Algorithm for
    R-Tree Packing", ICDE 1997), around each of which there is a circle. Where enough boxes' circles
    end within some distance, enough rows are, and no box needs to be looked into whose circle
    begins beyond it.
    """

    def __init__(self, places: ComplexArray, count: int) -> None:
        self._count = min(count, len(places))
        rows = _pack(places)
        boxes = math.ceil(len(rows) / BOX_ROWS)
        missing = boxes * BOX_ROWS - len(rows)
        self._enough = min(math.ceil((self._count + missing) / BOX_ROWS), boxes)
        self._rows = np.pad(rows, (0, missing), mode="edge").reshape(boxes, BOX_ROWS)
        self._places = places.take(self._rows)
        self._centres = _centres(self._places)
        self._radii = np.abs(self._places - self._centres[:, np.newaxis]).max(axis=1)
        self._places[-1, BOX_ROWS - missing :] = np.inf  # no row

    def around(self, place: complex) -> tuple[Indices, FloatArray]:
        """The rows around a place, and how many kilometres they are from it; in any order."""
        boxes = self._boxes_around(place)
        kilometres = np.abs(self._places.take(boxes, axis=0) - place).ravel()
        near = (kilometres <= _limit(kilometres, self._count)).nonzero()[0]
        return self._rows.take(boxes, axis=0).take(near), kilometres.take(near)

    def _boxes_around(self, place: complex) -> Indices:
        """The boxes that can hold rows around a place."""
        kilometres = np.abs(self._centres - place)
        limit = _limit(kilometres + self._radii, self._enough)
        kilometres -= self._radii
        boxes: Indices = (kilometres <= limit).nonzero()[0]
        return boxes


def _limit(kilometres: FloatArray, count: int) -> float:
    """The distance within which the nearest `count` are, and what ties with them."""
    farthest = float(np.partition(kilometres, count - 1)[count - 1])
    return farthest * ROUNDING_SHARE + ROUNDING_KILOMETRES


def _pack(places: ComplexArray) -> Indices:
    """The rows in an order in which each BOX_ROWS of them are close together."""
    boxes = math.ceil(len(places) / BOX_ROWS)
    strip_rows = math.ceil(math.sqrt(boxes)) * BOX_ROWS
    from_west = places.real.argsort(kind="stable")
    strips = np.split(from_west, range(strip_rows, len(places), strip_rows))
    return np.concatenate([strip[places[strip].imag.argsort(kind="stable")] for strip in strips])


def _centres(places: ComplexArray) -> ComplexArray:
    """The middle of each box, (boxes,), between its outermost places (boxes, rows)."""
    east, north = (
        (along.min(axis=1) + along.max(axis=1)) / 2.0 for along in (places.real, places.imag)
    )
    centres: ComplexArray = east + 1j * north
    return centres
