"""The service's Prometheus metrics, and the functions that update them.

Every label has few values (a route's template, a model's name, a feature, a reason), and none is
text that a client sent.
"""

import asyncio
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
VALUES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 4.99)  # the data are capped at 5.00001

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
"""The reason for a rejected row by the type of its Pydantic error, if the two names differ."""

REASONS = (
    "missing",
    "unknown_feature",
    "repeated",
    "not_a_number",
    "not_finite",
    "out_of_bounds",
    "malformed",
    OTHER,
)

# No `_created` series: prometheus_client does not support them in multi-process mode.
disable_created_metrics()  # type: ignore[no-untyped-call]

registry = CollectorRegistry()


class BulkHistogram(Histogram):
    """A histogram that observes many finite numbers at once.

    Negative numbers add nothing to the sum, because Prometheus treats a decrease as a restart.
    """

    def observe_many(self, numbers: Sequence[float]) -> None:
        """Observe a few numbers, locking each series once."""
        total = 0.0
        counts: dict[int, int] = {}
        for number in numbers:
            bucket = bisect_left(self._upper_bounds, number)
            counts[bucket] = counts.get(bucket, 0) + 1
            if number > 0.0:
                total += number
        for bucket, count in counts.items():
            self._buckets[bucket].inc(count)
        self._sum.inc(total)

    def observe_array(self, numbers: FloatArray) -> None:
        """Observe an array (n,)."""
        # Sorting and searching a few bounds is faster than a search for each number.
        cumulative = np.sort(numbers).searchsorted(self._upper_bounds, side="right").tolist()
        for bucket, (below, up_to) in zip(self._buckets, pairwise([0, *cumulative]), strict=True):
            if up_to > below:
                bucket.inc(up_to - below)
        self._sum.inc(float(np.maximum(numbers, 0.0).sum()))


_requests = Counter(
    "housing_http_requests_total",
    "HTTP responses; HEAD counts as GET.",
    ["method", "route", "code"],
    registry=registry,
)
_durations = BulkHistogram(
    "housing_http_request_duration_seconds",
    "Seconds from a request's headers to the end of its response.",
    ["route"],
    buckets=SECONDS,
    registry=registry,
)
_predictions = Counter("housing_predictions_total", "Predicted rows.", ["model"], registry=registry)
_values = BulkHistogram(
    "housing_prediction_value",
    "Predicted median house values, in 100,000 USD of 1990.",
    ["model"],
    buckets=VALUES,
    registry=registry,
)
_out_of_range = Counter(
    "housing_feature_out_of_range_total",
    "Predicted rows with a feature outside its training range.",
    ["feature", "side"],
    registry=registry,
)
_rejected = Counter("housing_rejected_rows_total", "Rejected rows.", ["reason"], registry=registry)

# Created at import, because Prometheus misses the first increase of a series that did not exist
# before; and kept, because looking a series up costs as much as counting.
_below, _above = (
    [_out_of_range.labels(name, side) for name in FEATURE_NAMES] for side in ("below", "above")
)
_rejected_by_reason = {reason: _rejected.labels(reason) for reason in REASONS}


class RequestSeries(NamedTuple):
    """The two series of one kind of request."""

    requests: Counter
    durations: BulkHistogram


class ModelSeries(NamedTuple):
    """The two series of a model's predictions."""

    predictions: Counter
    values: BulkHistogram


@cache
def _request_series(method: str, route: str, code: int) -> RequestSeries:
    return RequestSeries(_requests.labels(method, route, code), _durations.labels(route))


@cache
def model_series(name: str) -> ModelSeries:
    """Return the series of the model with that name; the first call creates them at 0."""
    return ModelSeries(_predictions.labels(name), _values.labels(name))


def count_request(method: str, route: str, code: int, seconds: float) -> None:
    """Count a request by its method, its route's template and the status of its response."""
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
        self._is_scheduled = False

    def add_predictions(
        self,
        model: NamedModel,
        rows: Sequence[Sequence[float]],
        predictions: Sequence[RowPrediction],
    ) -> None:
        """Add a model's finite predictions for rows (each: eight numbers in FEATURES order)."""
        values = self._predictions[model.name]
        for index, prediction in enumerate(predictions):
            values.append(prediction.prediction)
            if prediction.warnings:  # there is one for each feature out of range
                _count_out_of_range(model, rows[index])

    def add_request(self, method: str, route: str, code: int, seconds: float) -> None:
        """Add a request with a response; the method is one of METHODS."""
        self._seconds[method, route, code].append(seconds)

    def flush_soon(self) -> None:
        """Flush once, in the next event-loop iteration."""
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Add everything to its series."""
        self._is_scheduled = False
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


count_buffer = CountBuffer()
"""Shared by all routes of this process; only the event loop's thread uses it."""


def _count_out_of_range(model: NamedModel, row: Sequence[float]) -> None:
    ranges = model.saved.model.training_ranges.by_feature
    for number, (_, low, high), below, above in zip(row, ranges, _below, _above, strict=True):
        if number < low:
            below.inc()
        elif number > high:
            above.inc()


def count_rejected(reason: str) -> None:
    """Count a rejected row by one of REASONS or the type of its first error, else as OTHER."""
    reason = reason_by_type.get(reason, reason)
    _rejected_by_reason.get(reason, _rejected_by_reason[OTHER]).inc()
