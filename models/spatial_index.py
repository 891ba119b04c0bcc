"""Find the rows nearest to a place on the map without computing all distances.

A place is a complex number, km east + km north j, so that |a - b| is a distance in km.
"""

import math

import numpy as np

from models.arrays import ComplexArray, FloatArray, Indices

BOX_ROWS = 16  # every box but the last is full

# A distance that exceeds a limit by rounding only is within it.
ROUNDING_SHARE = 1.0 + 1e-9
ROUNDING_KILOMETRES = 1e-6


class SpatialIndex:
    """Finds the `count` rows nearest to a place, and all that tie with the last of them.

    The rows, at places (n,), are packed into boxes: sorted into strips from west to east, and
    within each strip from south to north (Leutenegger, Lopez and Edgington, "STR: A Simple and
    Efficient Algorithm for R-Tree Packing", ICDE 1997). Each box has a bounding circle. If the
    circles of enough boxes lie within some distance, so do `count` rows, and a box whose circle
    lies beyond that distance is not searched.
    """

    def __init__(self, places: ComplexArray, count: int) -> None:
        self._count = min(count, len(places))
        rows = _pack(places)
        boxes = math.ceil(len(rows) / BOX_ROWS)
        missing = boxes * BOX_ROWS - len(rows)
        self._enough_boxes = min(math.ceil((self._count + missing) / BOX_ROWS), boxes)
        self._rows = np.pad(rows, (0, missing), mode="edge").reshape(boxes, BOX_ROWS)
        self._places = places.take(self._rows)
        self._centres = _centres(self._places)
        self._radii = np.abs(self._places - self._centres[:, np.newaxis]).max(axis=1)
        self._places[-1, BOX_ROWS - missing :] = np.inf  # padding is never near

    def around(self, place: complex) -> tuple[Indices, FloatArray]:
        """Return the rows nearest to a place and their distances in km, in any order."""
        boxes = self._boxes_around(place)
        kilometres = np.abs(self._places.take(boxes, axis=0) - place).ravel()
        near = (kilometres <= _limit(kilometres, self._count)).nonzero()[0]
        return self._rows.take(boxes, axis=0).take(near), kilometres.take(near)

    def _boxes_around(self, place: complex) -> Indices:
        """Return the boxes that may hold the nearest rows."""
        kilometres = np.abs(self._centres - place)
        limit = _limit(kilometres + self._radii, self._enough_boxes)
        kilometres -= self._radii
        boxes: Indices = (kilometres <= limit).nonzero()[0]
        return boxes


def _limit(kilometres: FloatArray, count: int) -> float:
    """Return the distance within which the nearest `count` and those that tie with them lie."""
    farthest = float(np.partition(kilometres, count - 1)[count - 1])
    return farthest * ROUNDING_SHARE + ROUNDING_KILOMETRES


def _pack(places: ComplexArray) -> Indices:
    """Order the rows so that each BOX_ROWS consecutive ones are close together."""
    boxes = math.ceil(len(places) / BOX_ROWS)
    strip_rows = math.ceil(math.sqrt(boxes)) * BOX_ROWS
    from_west = places.real.argsort(kind="stable")
    strips = np.split(from_west, range(strip_rows, len(places), strip_rows))
    return np.concatenate([strip[places[strip].imag.argsort(kind="stable")] for strip in strips])


def _centres(places: ComplexArray) -> ComplexArray:
    """Return the middle of each box (boxes,) from its places (boxes, rows)."""
    east, north = (
        (along.min(axis=1) + along.max(axis=1)) / 2.0 for along in (places.real, places.imag)
    )
    centres: ComplexArray = east + 1j * north
    return centres
