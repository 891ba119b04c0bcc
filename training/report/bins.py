"""Errors and coverage in bins of the test rows: the numbers in the pictures."""

from typing import NamedTuple

import numpy as np
from sklearn.neighbors import BallTree

from models.arrays import FloatArray, Indices
from models.features import FEATURE_NAMES
from models.interval import Estimate

EARTH_RADIUS = 6371.0088  # km, the mean
TENTHS = 10
DISTANCE_EDGES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # km; the last bin is open
PLACE = [FEATURE_NAMES.index("Latitude"), FEATURE_NAMES.index("Longitude")]


class Bin(NamedTuple):
    """The test rows between two values of the quantity that they are ordered by."""

    low: float
    high: float
    rows: int


class ErrorBin(NamedTuple):
    """The errors of the rows in a bin, in 100,000 USD."""

    bin: Bin
    rmse: float
    mean_error: float  # predicted minus true


class CoverageBin(NamedTuple):
    """The coverage and width of the intervals in a bin."""

    bin: Bin
    coverage: float  # the share of true values inside their interval
    mean_width: float  # 100,000 USD


def errors_by_price(targets: FloatArray, predictions: FloatArray) -> list[ErrorBin]:
    """Compute the errors in each tenth of the rows (n,), ordered by true value."""
    return [
        _errors(_span(targets[rows]), targets[rows], predictions[rows]) for rows in _tenths(targets)
    ]


def errors_by_distance(
    distances: FloatArray, targets: FloatArray, predictions: FloatArray
) -> list[ErrorBin]:
    """Compute the errors of rows (n,) by distance in km, without empty bins."""
    bins = np.digitize(distances, DISTANCE_EDGES) - 1
    highs = (*DISTANCE_EDGES[1:], np.inf)
    return [
        _errors(
            Bin(DISTANCE_EDGES[index], highs[index], int(np.sum(bins == index))),
            targets[bins == index],
            predictions[bins == index],
        )
        for index in np.unique(bins)
    ]


def coverage_by_prediction(estimate: Estimate, targets: FloatArray) -> list[CoverageBin]:
    """Compute coverage and width in each tenth of the rows (n,), ordered by prediction."""
    predictions, lower, upper = estimate
    inside = (lower <= targets) & (targets <= upper)
    return [
        CoverageBin(
            _span(predictions[rows]),
            float(np.mean(inside[rows])),
            float(np.mean((upper - lower)[rows])),
        )
        for rows in _tenths(predictions)
    ]


def distances_to_nearest(rows: FloatArray, training_rows: FloatArray) -> FloatArray:
    """Compute the great-circle distance (n,) in km from rows (n, 8) to the nearest training row."""
    tree = BallTree(np.radians(training_rows[:, PLACE]), metric="haversine")
    radians, _ = tree.query(np.radians(rows[:, PLACE]), k=1)
    return np.asarray(radians[:, 0] * EARTH_RADIUS, dtype=np.float64)


def _tenths(values: FloatArray) -> list[Indices]:
    """Sort the rows and split them into ten parts of nearly equal size."""
    return np.array_split(np.argsort(values, kind="stable"), min(TENTHS, len(values)))


def _span(values: FloatArray) -> Bin:
    return Bin(float(values.min()), float(values.max()), len(values))


def _errors(span: Bin, targets: FloatArray, predictions: FloatArray) -> ErrorBin:
    errors = predictions - targets
    return ErrorBin(span, float(np.sqrt(np.mean(errors**2))), float(np.mean(errors)))
