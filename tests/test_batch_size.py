"""How many rows are answered at a time."""

import pytest

from app.inference.batch_size import FIRST_SLICE, LARGEST_SLICE, SLICE_SECONDS, AdaptiveBatchSize


def learned(pace, *slices):
    for rows, seconds in slices:
        pace.learn(rows, seconds)
    return pace.rows


def test_it_grows_and_shrinks_by_a_factor_of_four_at_most():
    assert learned(AdaptiveBatchSize(), (FIRST_SLICE, 1e-6)) == 4 * FIRST_SLICE
    assert learned(AdaptiveBatchSize(), *[(rows, 1e-6) for rows in (8, 32, 128)], (512, 3.0)) == 128


def test_it_settles_where_a_slice_takes_its_time():
    pace = AdaptiveBatchSize()

    for _ in range(10):
        pace.learn(pace.rows, pace.rows * SLICE_SECONDS / 300)

    assert pace.rows == 300


def test_it_has_its_bounds():
    pace = AdaptiveBatchSize()

    for _ in range(20):
        pace.learn(pace.rows, 0.0)
    assert pace.rows == LARGEST_SLICE
    for _ in range(20):
        pace.learn(pace.rows, 1.0)
    assert pace.rows == 1


@pytest.mark.parametrize(("seconds", "rows"), [(0.5 * SLICE_SECONDS, 32), (2 * SLICE_SECONDS, 8)])
def test_a_partial_batch_can_only_shrink_the_size(seconds, rows):
    assert learned(AdaptiveBatchSize(), (FIRST_SLICE, 1e-6), (5, seconds)) == rows


def test_a_multiple_is_kept():
    pace = AdaptiveBatchSize(multiple=256)

    for seconds in (1e-6, 1e-6, 1.0, 0.0033):
        pace.learn(pace.rows, seconds)
        assert pace.rows % 256 == 0
        assert pace.rows > 0
