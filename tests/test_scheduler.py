"""Batches are predicted in slices of an adaptive size, and rejected when too many are active."""

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from app.inference.overload import OverloadedError
from app.inference.registry import NamedModel
from app.inference.rows import Rows
from app.inference.scheduler import (
    INITIAL_SLICE,
    MAX_ACTIVE_SLICES,
    MAX_SLICE,
    SLICE_SECONDS,
    AdaptiveBatchSize,
    current_scheduler,
    is_saturated,
    reject_if_saturated,
    whole_batches,
)
from app.inference.scored import Scorer
from models.layers import Dense, Sigmoid
from models.network import Network


def size_after(batch_size, *slices):
    for rows, seconds in slices:
        batch_size.update(rows, seconds)
    return batch_size.rows


def test_the_slice_size_changes_by_a_factor_of_four_at_most():
    assert size_after(AdaptiveBatchSize(), (INITIAL_SLICE, 1e-6)) == 4 * INITIAL_SLICE
    assert (
        size_after(AdaptiveBatchSize(), *[(rows, 1e-6) for rows in (8, 32, 128)], (512, 3.0)) == 128
    )


def test_the_slice_size_settles_where_a_slice_takes_the_target_time():
    batch_size = AdaptiveBatchSize()

    for _ in range(10):
        batch_size.update(batch_size.rows, batch_size.rows * SLICE_SECONDS / 300)

    assert batch_size.rows == 300


def test_the_slice_size_stays_within_its_bounds():
    batch_size = AdaptiveBatchSize()

    for _ in range(20):
        batch_size.update(batch_size.rows, 0.0)
    assert batch_size.rows == MAX_SLICE
    for _ in range(20):
        batch_size.update(batch_size.rows, 1.0)
    assert batch_size.rows == 1


@pytest.mark.parametrize(("seconds", "rows"), [(0.5 * SLICE_SECONDS, 32), (2 * SLICE_SECONDS, 8)])
def test_a_partial_batch_can_only_shrink_the_slice_size(seconds, rows):
    assert size_after(AdaptiveBatchSize(), (INITIAL_SLICE, 1e-6), (5, seconds)) == rows


def test_the_slice_size_stays_a_multiple():
    batch_size = AdaptiveBatchSize(multiple=256)

    for seconds in (1e-6, 1e-6, 1.0, 0.0033):
        batch_size.update(batch_size.rows, seconds)
        assert batch_size.rows % 256 == 0
        assert batch_size.rows > 0


@pytest.fixture
def wide_model(saved, rng):
    """A float64 model whose matrix products round differently in batches of different sizes."""
    widths = (8, 256, 256, 1)
    layers = [
        Dense(rng.normal(size=(fan_in, fan_out)) / np.sqrt(fan_in), rng.normal(size=fan_out))
        for fan_in, fan_out in pairwise(widths)
    ]
    network = Network([layers[0], Sigmoid(), layers[1], Sigmoid(), layers[2]])
    return NamedModel("wide", replace(saved, model=replace(saved.model, network=network)))


@pytest.mark.parametrize("with_warnings", [False, True])
def test_padding_to_whole_batches_gives_a_row_the_same_bits_in_any_batch(
    saved, wide_model, rng, with_warnings
):
    ranges = saved.model.training_ranges
    rows = rng.uniform(ranges.feature_minimum, ranges.feature_maximum, size=(2500, 8))
    scorer = Scorer(wide_model, batch_size=whole_batches(wide_model.saved.model))

    def score(part):
        return asyncio.run(scorer.score(Rows(part), with_warnings=with_warnings)).estimates

    alone = np.concatenate([score(rows[index : index + 1]) for index in range(20)])
    predict = wide_model.saved.model.predict

    # Without padding, the bits depend on the size of the batch.
    assert predict(rows[:20]).tolist() != [predict(rows[i : i + 1]).item() for i in range(20)]
    for size in (2, 7, 20, 300, 1023, 1024, 1025, 2500):
        assert score(rows[:size])[:20].tobytes() == alone[:size].tobytes()
        moved = np.concatenate([rows[20 : 20 + size], rows[:20]])
        assert score(moved)[-20:].tobytes() == alone.tobytes()


@pytest.mark.parametrize("slices", [1.0, 0.5])
def test_queued_batches_count_like_active_ones(slices):
    half = int(MAX_ACTIVE_SLICES / slices / 2)

    async def check():
        with ExitStack() as active:
            for _ in range(half):
                active.enter_context(current_scheduler().track(slices))
            assert not is_saturated()
            assert not is_saturated(queued=half - 1)
            assert is_saturated(queued=half)
        assert not is_saturated(queued=1000)  # without active ones, their size is unknown

    asyncio.run(check())


def test_a_batch_is_rejected_while_the_maximum_of_slices_is_active():
    async def check():
        with ExitStack() as active:
            for _ in range(MAX_ACTIVE_SLICES - 1):
                active.enter_context(current_scheduler().track(1.0))
            reject_if_saturated()
            with current_scheduler().track(1.0), pytest.raises(OverloadedError):
                reject_if_saturated()
            reject_if_saturated()

    asyncio.run(check())
