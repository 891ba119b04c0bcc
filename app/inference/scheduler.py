"""Large batches are predicted in slices, so that the event loop serves other requests between them.

Each event loop has one scheduler. Its batches take turns, one slice each. The size of a slice
adapts to the time that the model takes.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from app.inference.overload import OverloadedError
from models.arrays import FloatArray
from models.house_price import HousePriceModel
from models.interval import Estimate

T = TypeVar("T")

SLICE_SECONDS = 0.003
INITIAL_SLICE, MAX_SLICE = 8, 16_384  # rows
MAX_CHANGE = 4.0  # the factor by which one slice may change the size of the next
MAX_ACTIVE_SLICES = 64  # a round, one slice of each active batch, takes about 0.2 s


class AdaptiveBatchSize:
    """The number of rows that a model predicts in about SLICE_SECONDS.

    It stays a multiple of `multiple`; see `whole_batches`.
    """

    def __init__(self, multiple: int = 1) -> None:
        self.multiple = multiple
        self.rows = max(INITIAL_SLICE, multiple)

    def update(self, rows: int, seconds: float) -> None:
        """Adapt to the CPU time of a slice.

        A partial slice may only shrink the size: its fixed costs make its rows look slow.
        """
        if rows < self.rows and seconds <= SLICE_SECONDS:
            return
        target = rows * SLICE_SECONDS / max(seconds, 1e-9)
        lowest, highest = max(self.rows / MAX_CHANGE, 1.0), min(self.rows * MAX_CHANGE, MAX_SLICE)
        size = min(max(target, lowest), highest)
        self.rows = max(int(size) // self.multiple, 1) * self.multiple


def whole_batches(model: HousePriceModel) -> AdaptiveBatchSize:
    """Return a size at which a row's prediction has the same bits whatever rows surround it.

    A float64 matrix product may round differently in batches of different sizes. So each slice is
    padded to whole batches of the network, which costs a few repeated predictions.
    """
    return AdaptiveBatchSize(model.network.rows_per_batch)


class BatchScheduler:
    """Runs the slices of all batches of one event loop, one at a time."""

    def __init__(self) -> None:
        self._slot = asyncio.Lock()  # first in, first out: batches take turns
        self._active_slices = 0.0  # slices in a round; a batch smaller than a slice adds a fraction
        self._active_batches = 0

    @contextmanager
    def track(self, slices: float) -> Iterator[None]:
        """Count a batch as active; it adds at most one slice to each round."""
        self._active_slices += slices
        self._active_batches += 1
        try:
            yield
        finally:
            self._active_slices -= slices
            self._active_batches -= 1

    def is_saturated(self, queued: int) -> bool:
        """Return whether active and queued batches fill a round.

        The size of a queued batch is unknown, so it counts as the mean of the active ones.
        """
        average = self._active_slices / max(self._active_batches, 1)
        return self._active_slices + queued * average >= MAX_ACTIVE_SLICES

    async def run(
        self,
        predict: Callable[[FloatArray], T],
        rows: FloatArray,
        batch_size: AdaptiveBatchSize,
    ) -> list[T]:
        """Call `predict` for each slice of rows (n, 8), and once if there are no rows.

        The last slice repeats the last row up to a multiple of `batch_size.multiple`.
        """
        rows = _pad(rows, batch_size.multiple)
        results: list[T] = []
        start = 0
        with self.track(min(len(rows) / batch_size.rows, 1.0)):
            while start < len(rows) or not results:
                async with self._slot:
                    part = rows[start : start + batch_size.rows]
                    started = time.thread_time()
                    results.append(predict(part))
                    batch_size.update(len(part), time.thread_time() - started)
                    await asyncio.sleep(0)
                start += len(part)
        return results


_schedulers: WeakKeyDictionary[asyncio.AbstractEventLoop, BatchScheduler] = WeakKeyDictionary()


def current_scheduler() -> BatchScheduler:
    """Return the scheduler of the running event loop."""
    return _schedulers.setdefault(asyncio.get_running_loop(), BatchScheduler())


def is_saturated(queued: int = 0) -> bool:
    """Return whether another batch would wait too long behind active and queued ones."""
    return current_scheduler().is_saturated(queued)


def reject_if_saturated() -> None:
    """Raise OverloadedError if another batch would wait too long."""
    if is_saturated():
        raise OverloadedError


async def estimate_many(
    model: HousePriceModel, rows: FloatArray, level: float, batch_size: AdaptiveBatchSize
) -> Estimate:
    """Return what `model.estimate` returns for rows (n, 8), computed in slices.

    The size is adapted, so the caller keeps it for later batches of the same model. Raises
    ValueError if the level is not calibrated.
    """
    estimates = await current_scheduler().run(
        lambda part: model.estimate(part, level), rows, batch_size
    )
    return _join(estimates, len(rows))


async def estimate_many_with_warnings(
    model: HousePriceModel, rows: FloatArray, level: float, batch_size: AdaptiveBatchSize
) -> tuple[Estimate, list[list[str]]]:
    """As `estimate_many`, and the warnings of each row."""
    results = await current_scheduler().run(
        lambda part: model.estimate_with_warnings(part, level), rows, batch_size
    )
    estimates, warnings = zip(*results, strict=True)
    return _join(estimates, len(rows)), [*chain.from_iterable(warnings)][: len(rows)]


def _pad(rows: FloatArray, multiple: int) -> FloatArray:
    """Repeat the last of rows (n, 8) until their number is a multiple."""
    missing = -len(rows) % multiple
    return np.concatenate([rows, rows[-1:].repeat(missing, axis=0)]) if missing else rows


def _join(estimates: Sequence[Estimate], count: int) -> Estimate:
    """Join the estimates of slices, without the padding."""
    return Estimate(*(np.concatenate(parts)[:count] for parts in zip(*estimates, strict=True)))
