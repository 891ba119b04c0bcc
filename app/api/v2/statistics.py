"""What each model has answered over the protocol, counted in this process."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from app.api.v2.schemas import Duration, ModelStatistics
from app.inference.registry import NamedModel


class StatisticsByModel:
    """The statistics of each version of each model."""

    def __init__(self) -> None:
        self._by_identity: dict[str, ModelStatistics] = {}

    def of(self, model: NamedModel) -> ModelStatistics:
        """The statistics of a model, which count on."""
        new = ModelStatistics(name=model.name, version=model.saved.version)
        return self._by_identity.setdefault(model.identity, new)


@contextmanager
def counting(statistics: ModelStatistics) -> Iterator[None]:
    """Count a request and its time, as a failure where an exception leaves the block."""
    started = time.perf_counter_ns()
    ended = statistics.inference_stats.fail
    try:
        yield
        ended = statistics.inference_stats.success
    finally:
        _count(ended, time.perf_counter_ns() - started)
        statistics.last_inference = time.time_ns() // 1_000_000


def _count(duration: Duration, nanoseconds: int) -> None:
    duration.count += 1
    duration.ns += nanoseconds
