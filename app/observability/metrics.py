"""What the service counts for Prometheus, and the functions that count it.

Every label has few values: a route's template, a model's name, a feature, a reason. None of them is
what a client sent.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from app.inference.registry import NamedModel
from models.arrays import FloatArray
from models.features import FEATURE_NAMES
from models.house_price import RowPrediction

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 10.0)
VALUES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 4.99)  # above the last: the end of the data

OTHER = "other"
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

reason_by_type = {
    "extra_forbidden": "unknown_feature",
    "float_type": "not_a_number",
    "finite_number": "not_finite",
    "greater_than": "out_of_bounds",
    "greater_than_equal": "out_of_bounds",
    "less_than_equal": "out_of_bounds",
    "json_invalid": "malformed",
    "model_type": "malformed",
    "model_attributes_type": "malformed",
}
"""Why a row is refused, by the type of Pydantic's error, where it has another name."""

REASONS = (
    *("missing", "unknown_feature", "repeated", "not_a_number", "not_finite", "out_of_bounds"),
    *("malformed", OTHER),
)

# A second series for each; over several workers there is none.
disable_created_metrics()  # type: ignore[no-untyped-call]

registry = CollectorRegistry()


class ManyHistogram(Histogram):
    """A histogram that takes many finite numbers at once."""

    def observe_many(self, numbers: Sequence[float]) -> None:
        """Count a few, quickly."""
        total = 0.0
        counts: dict[int, int] = {}
        for number in numbers:
            place = bisect_left(self._upper_bounds, number)
            counts[place] = counts.get(place, 0) + 1
            # A sum that falls would be taken for a restart, so what is below zero adds nothing.
            total += max(number, 0.0)
        for place, count in counts.items():
            self._buckets[place].inc(count)
        self._sum.inc(total)

    def observe_array(self, numbers: FloatArray) -> None:
        """Count an array (n,)."""
        # Sorted by NumPy and searched for a few bounds: sooner than to look at each number.
        up_to = np.sort(numbers).searchsorted(self._upper_bounds, side="right").tolist()
        for bucket, (before, count) in zip(self._buckets, pairwise([0, *up_to]), strict=True):
            if count > before:
                bucket.inc(count - before)
        self._sum.inc(float(np.maximum(numbers, 0.0).sum()))


_requests = Counter(
    "housing_http_requests_total",
    "HTTP requests that were answered; HEAD counts as GET.",
    ["method", "route", "code"],
    registry=registry,
)
_durations = ManyHistogram(
    "housing_http_request_duration_seconds",
    "Time from a request's headers to the end of its answer.",
    ["route"],
    buckets=SECONDS,
    registry=registry,
)
_predictions = Counter(
    "housing_predictions_total", "Rows that a model answered.", ["model"], registry=registry
)
_values = ManyHistogram(
    "housing_prediction_value",
    "Predicted median house values, in 100,000 USD of 1990.",
    ["model"],
    buckets=VALUES,
    registry=registry,
)
_out_of_range = Counter(
    "housing_feature_out_of_range_total",
    "Answered rows with a feature outside of what the model was trained on.",
    ["feature", "side"],
    registry=registry,
)
_refused = Counter(
    "housing_rejected_rows_total", "Rows that were refused.", ["reason"], registry=registry
)

# A series that is there from the start shows its first increase. Finding one costs as much as
# counting, so it is done once.
_below, _above = (
    [_out_of_range.labels(name, side) for name in FEATURE_NAMES] for side in ("below", "above")
)
_refused_for = {reason: _refused.labels(reason) for reason in REASONS}


class RequestSeries(NamedTuple):
    """The two series that one kind of request is counted in."""

    requests: Counter
    durations: ManyHistogram


class ModelSeries(NamedTuple):
    """The two series that a model's answers are counted in."""

    predictions: Counter
    values: ManyHistogram


@cache
def _request_series(method: str, route: str, code: int) -> RequestSeries:
    return RequestSeries(_requests.labels(method, route, code), _durations.labels(route))


@cache
def model_series(name: str) -> ModelSeries:
    """The series of a model by its name, there from the first time that they are asked for."""
    return ModelSeries(_predictions.labels(name), _values.labels(name))


def count_request(method: str, route: str, code: int, seconds: float) -> None:
    """Count an answered request by its method, its route's template and the answer's status."""
    series = _request_series(method if method in METHODS else OTHER, route, code)
    series.requests.inc()
    series.durations.observe(seconds)


def count_predictions(model: NamedModel, rows: FloatArray, predictions: FloatArray) -> None:
    """Count finite predictions (n,), in 100,000 USD of 1990, for rows (n, 8)."""
    series = model_series(model.name)
    series.predictions.inc(len(rows))
    series.values.observe_array(predictions)
    ranges = model.saved.model.training_ranges
    for counters, outside in (
        (_below, rows < ranges.feature_minimum),
        (_above, rows > ranges.feature_maximum),
    ):
        if not outside.any():
            continue
        for counter, column in zip(counters, outside.T, strict=True):
            if count := int(np.count_nonzero(column)):
                counter.inc(count)


class CountBuffer:
    """Counts of one-row requests, added to their series by `flush`.

    Finding and locking a series takes longer than a prediction, so the fast path flushes once per
    event-loop iteration. Until then, another worker may expose sums without these counts.
    """

    def __init__(self) -> None:
        self._predictions: defaultdict[str, list[float]] = defaultdict(list)
        self._seconds: defaultdict[tuple[str, str, int], list[float]] = defaultdict(list)

    def add_predictions(
        self, model: NamedModel, rows: Sequence[Sequence[float]], answers: Sequence[RowPrediction]
    ) -> None:
        """Add a model's finite predictions for rows (each: eight numbers in FEATURES order)."""
        predictions = self._predictions[model.name]
        for row, answer in zip(rows, answers, strict=True):
            predictions.append(answer.prediction)
            if answer.warnings:  # there is one for each feature out of range
                _count_out_of_range(model, row)

    def add_request(self, method: str, route: str, code: int, seconds: float) -> None:
        """Add an answered request; the method is one of METHODS."""
        self._seconds[method, route, code].append(seconds)

    def flush(self) -> None:
        """Add everything to its series."""
        while self._predictions:
            name, predictions = self._predictions.popitem()
            model = model_series(name)
            model.predictions.inc(len(predictions))
            model.values.observe_many(predictions)
        while self._seconds:
            request, seconds = self._seconds.popitem()
            series = _request_series(*request)
            series.requests.inc(len(seconds))
            series.durations.observe_many(seconds)


buffer = CountBuffer()
"""Shared by all routes of this process; used by the thread of the event loop only."""


def _count_out_of_range(model: NamedModel, row: Sequence[float]) -> None:
    ranges = model.saved.model.training_ranges.by_feature
    for number, (_, low, high), below, above in zip(row, ranges, _below, _above, strict=True):
        if number < low:
            below.inc()
        elif number > high:
            above.inc()


class RowsAnswered:
    """Replaced by `buffer`; stays until the fast path uses that."""

    def __init__(self, method: str, route: str) -> None:
        self._request = method, route, 200

    def add(
        self, model: NamedModel, row: Sequence[float], answer: RowPrediction, seconds: float
    ) -> None:
        """Add a predicted row and its request."""
        buffer.add_predictions(model, [row], [answer])
        buffer.add_request(*self._request, seconds)

    def count(self) -> None:
        """Add everything to its series."""
        buffer.flush()


def count_rejected(reason: str, rows: int = 1) -> None:
    """Count refused rows, by one of REASONS or by the type of the (first) error; else as `other`.

    To be called by every route that refuses rows without FastAPI's validation.
    """
    known = _refused_for.get(reason_by_type.get(reason, reason), _refused_for[OTHER])
    known.inc(rows)
