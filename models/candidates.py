"""What may be among the nearest: a first pass over many points, quick and rough.

No neighbour is lost: what is left out is further away than enough others, however the roundings
fell.
"""

import numpy as np

from models.arrays import FloatArray, Indices

ROUNDING = 16.0 * float(np.finfo(np.float32).eps)
"""Above twice the error of a sum of 12 products of rounded factors, by the sum of their sizes."""
BLOCKS = 8  # for each neighbour that is asked for


class Candidates:
    """Points (n, d), and r weightings (r, d) of their squared differences from a query.

    A query's squared distances are w |p|^2 - 2 w p q in float32, less its own w |q|^2: products of
    the points' terms, which are kept, and of the query's factors.
    """

    def __init__(self, points: FloatArray, weights: FloatArray) -> None:
        self._centre, self._weights = points.mean(axis=0), weights
        centred = points - self._centre
        squares = centred * centred
        # The sizes of the products, w |p|^2 and 2 w |p| |q|, add up to 2 w |p|^2 + w |q|^2 at most.
        self._error = 2.0 * ROUNDING * (weights @ squares.max(axis=0))
        # The columns of a point all have one weight, its two places 1: their squares can be summed.
        sums = squares[:, :2].sum(axis=1), squares[:, 2:].sum(axis=1)
        self._terms = np.vstack([*sums, -2.0 * centred.T]).astype(np.float32)
        self._factors = np.hstack([weights[:, [0, -1]], weights])[np.newaxis].astype(np.float32)

    def factors(self, queries: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Of queries (m, d), (m, r, 2 + d), and more than their error can be, (m, r)."""
        centred = queries - self._centre
        factors = self._factors.repeat(len(queries), axis=0)
        factors[:, :, 2:] *= centred[:, np.newaxis]
        errors = self._error + ROUNDING * ((centred * centred) @ self._weights.T)
        return factors, errors.astype(np.float32)

    def near(
        self, factors: FloatArray, errors: FloatArray, part: slice, count: int
    ) -> tuple[Indices, Indices]:
        """Which of a part of the points may be among the nearest `count` of it.

        The lines, each a query x r + a weighting, ascending, and the points.
        """
        squares = factors.reshape(-1, factors.shape[2]) @ self._terms[:, part]
        limits = _at_least(squares, count) + errors.reshape(-1, 1)
        lines, points = np.divmod((squares <= limits).ravel().nonzero()[0], squares.shape[1])
        points += part.start
        return lines, points


def _at_least(values: FloatArray, count: int) -> FloatArray:
    """Up to where a line of values (m, n) has `count` of them, and hardly more, (m, 1).

    The smallest of blocks of values stand for all: hardly any two of the nearest share a block.
    """
    blocks = BLOCKS * count
    size = values.shape[1] // blocks
    if size > 1:
        values = values[:, : size * blocks].reshape(-1, size, blocks).min(axis=1)
    return np.partition(values, count - 1, axis=1)[:, count - 1 : count]
