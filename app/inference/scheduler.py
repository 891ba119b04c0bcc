"""Many rows, a slice at a time: between two slices other requests are answered."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from app.inference.batch_size import AdaptiveBatchSize
from app.inference.overload import OverloadedError
from models.arrays import FloatArray
from models.house_price import HousePriceModel
from models.interval import Estimate

T = TypeVar("T")

MAX_ACTIVE_SLICES = 64  # slices in a round, in which each batch has one: a fifth of a second


class BatchScheduler:
    """One slice at a time, however many batches an event loop has; they take turns."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.at_work = 0.0  # slices, of each batch the next; less than one where it is smaller
        self.batches = 0  # or parts of one, that are at work

    @contextmanager
    def working(self, share: float) -> Iterator[None]:
        """Meanwhile a batch has such a share of a slice to do."""
        self.at_work += share
        self.batches += 1
        try:
            yield
        finally:
            self.at_work -= share
            self.batches -= 1


_slices: WeakKeyDictionary[asyncio.AbstractEventLoop, BatchScheduler] = WeakKeyDictionary()


def slices() -> BatchScheduler:
    """Those of the running event loop."""
    return _slices.setdefault(asyncio.get_running_loop(), BatchScheduler())


def is_saturated(coming: int = 0) -> bool:
    """Whether so many batches are at work that another would starve.

    Those that are coming are taken for as large as those at work.
    """
    shared = slices()
    return shared.at_work * (1.0 + coming / max(shared.batches, 1)) >= MAX_ACTIVE_SLICES


def reject_if_saturated() -> None:
    """Raise OverloadedError when is_saturated."""
    if is_saturated():
        raise OverloadedError


async def answer_many(
    model: HousePriceModel,
    rows: FloatArray,
    level: float,
    pace: AdaptiveBatchSize,
) -> tuple[Estimate, list[list[str]]]:
    """Call `model.answer` for rows (n, 8) without blocking the event loop long.

    The pace is what earlier calls with the same model have learned.

    Raises ValueError at a level that was not calibrated.
    """
    answers = await _by_slices(lambda some: model.answer(some, level), rows, pace)
    estimates, warnings = zip(*answers, strict=True)
    return _join(estimates, len(rows)), [*chain.from_iterable(warnings)][: len(rows)]


async def estimate_many(
    model: HousePriceModel,
    rows: FloatArray,
    level: float,
    pace: AdaptiveBatchSize,
) -> Estimate:
    """What `model.estimate` gives for rows (n, 8), without keeping the event loop for long."""
    estimates = await _by_slices(lambda some: model.estimate(some, level), rows, pace)
    return _join(estimates, len(rows))


async def _by_slices(
    score: Callable[[FloatArray], T], rows: FloatArray, pace: AdaptiveBatchSize
) -> list[T]:
    """What a function gives for each slice of rows (n, 8), of which there is at least one.

    The last of them may be of more rows than there are, to have the pace's multiple.
    """
    rows = _fill(rows, pace.multiple)
    shared = slices()
    share = min(len(rows) / pace.rows, 1.0)
    scores: list[T] = []
    start = 0
    with shared.working(share):
        while start < len(rows) or not scores:
            async with shared.turn:
                some = rows[start : start + pace.rows]
                started = time.thread_time()
                scores.append(score(some))
                pace.learn(len(some), time.thread_time() - started)
                await asyncio.sleep(0)
            start += len(some)
    return scores


def _fill(rows: FloatArray, multiple: int) -> FloatArray:
    """Rows (n, 8) and, up to a multiple, the last of them again."""
    missing = -len(rows) % multiple
    return np.concatenate([rows, rows[-1:].repeat(missing, axis=0)]) if missing else rows


def _join(estimates: Sequence[Estimate], count: int) -> Estimate:
    return Estimate(*(np.concatenate(parts)[:count] for parts in zip(*estimates, strict=True)))
