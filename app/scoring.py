"""Many rows, a slice at a time: between two slices other requests are answered."""

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from models.arrays import FloatArray
from models.house_price import HousePriceModel
from models.interval import DEFAULT_LEVEL, Estimate

T = TypeVar("T")

SLICE_SECONDS = 0.003
FIRST_SLICE, LARGEST_SLICE = 8, 16_384  # rows
GROWTH = 4.0

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""One slice at a time, however many batches an event loop has; they take turns."""


class Pace:
    """How many rows a slice may have: as many as a model answers in a few milliseconds."""

    def __init__(self) -> None:
        self.rows = FIRST_SLICE

    def learn(self, rows: int, seconds: float) -> None:
        """Adapt to how long a slice of some rows took."""
        per_slice = rows * SLICE_SECONDS / max(seconds, 1e-9)
        self.rows = int(min(max(per_slice, 1.0), GROWTH * self.rows, LARGEST_SLICE))


async def answer_many(
    model: HousePriceModel,
    rows: FloatArray,
    level: float = DEFAULT_LEVEL,
    pace: Pace | None = None,
) -> tuple[Estimate, list[list[str]]]:
    """What `model.answer` gives for rows (n, 8), without keeping the event loop for long.

    The pace is what earlier calls with the same model have learned. Raises ValueError at a level
    that was not calibrated.
    """
    answers = await _by_slices(lambda some: model.answer(some, level), rows, pace or Pace())
    estimates, warnings = zip(*answers, strict=True)
    return _join(estimates), [*chain.from_iterable(warnings)]


async def estimate_many(
    model: HousePriceModel, rows: FloatArray, level: float = DEFAULT_LEVEL
) -> Estimate:
    """What `model.estimate` gives for rows (n, 8), without keeping the event loop for long."""
    return _join(await _by_slices(lambda some: model.estimate(some, level), rows, Pace()))


async def _by_slices(score: Callable[[FloatArray], T], rows: FloatArray, pace: Pace) -> list[T]:
    """What a function gives for each slice of rows (n, 8), of which there is at least one."""
    turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    scores: list[T] = []
    start = 0
    while start < len(rows) or not scores:
        async with turn:
            some = rows[start : start + pace.rows]
            started = time.perf_counter()
            scores.append(score(some))
            if len(some) == pace.rows:  # a few rows at the end cost more than their share
                pace.learn(len(some), time.perf_counter() - started)
            await asyncio.sleep(0)
        start += len(some)
    return scores


def _join(estimates: Sequence[Estimate]) -> Estimate:
    return Estimate(*np.concatenate(estimates, axis=1))
