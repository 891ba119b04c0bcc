"""How many rows are answered at a time."""

import pytest

from app.inference.scheduler import INITIAL_SLICE, MAX_SLICE, SLICE_SECONDS, AdaptiveBatchSize


def learned(batch_size, *slices):
    for rows, seconds in slices:
        batch_size.update(rows, seconds)
    return batch_size.rows


def test_it_grows_and_shrinks_by_a_factor_of_four_at_most():
    assert learned(AdaptiveBatchSize(), (INITIAL_SLICE, 1e-6)) == 4 * INITIAL_SLICE
    assert learned(AdaptiveBatchSize(), *[(rows, 1e-6) for rows in (8, 32, 128)], (512, 3.0)) == 128


def test_it_settles_where_a_slice_takes_its_time():
    batch_size = AdaptiveBatchSize()

    for _ in range(10):
        batch_size.update(batch_size.rows, batch_size.rows * SLICE_SECONDS / 300)

    assert batch_size.rows == 300


def test_it_has_its_bounds():
    batch_size = AdaptiveBatchSize()

    for _ in range(20):
        batch_size.update(batch_size.rows, 0.0)
    assert batch_size.rows == MAX_SLICE
    for _ in range(20):
        batch_size.update(batch_size.rows, 1.0)
    assert batch_size.rows == 1


@pytest.mark.parametrize(("seconds", "rows"), [(0.5 * SLICE_SECONDS, 32), (2 * SLICE_SECONDS, 8)])
def test_a_partial_batch_can_only_shrink_the_size(seconds, rows):
    assert learned(AdaptiveBatchSize(), (INITIAL_SLICE, 1e-6), (5, seconds)) == rows


def test_a_multiple_is_kept():
    batch_size = AdaptiveBatchSize(multiple=256)

    for seconds in (1e-6, 1e-6, 1.0, 0.0033):
        batch_size.update(batch_size.rows, seconds)
        assert batch_size.rows % 256 == 0
        assert batch_size.rows > 0
