import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from training.calibrate import (
    LEVELS,
    conformal_quantile,
    cross_fit,
    quantile_interval,
    residual_interval,
)


def test_the_conformal_quantile_is_the_rank_that_the_paper_gives():
    scores = np.arange(1.0, 20.0)  # n = 19: ceil(20 * 0.9) = 18

    assert conformal_quantile(scores, 0.9) == 18.0
    assert conformal_quantile(scores[::-1].copy(), 0.95) == 19.0


def test_too_few_scores_for_the_level_are_an_error():
    with pytest.raises(ValueError, match="must have at least 9 scores, got 8"):
        conformal_quantile(np.ones(8), 0.9)


@given(st.lists(st.floats(0, 1e6), min_size=19, max_size=200), st.sampled_from(LEVELS))
def test_at_least_the_level_of_the_scores_is_within_the_quantile(scores, level):
    quantile = conformal_quantile(np.array(scores), level)

    assert np.mean(np.array(scores) <= quantile) >= level


def test_no_row_is_predicted_by_a_fit_on_that_row(rng):
    rows, targets = rng.normal(size=(53, 8)), rng.normal(size=53)

    def fit_fold(fold):
        seen = {row.tobytes() for row in fold.rows}
        assert not seen & {row.tobytes() for row in fold.held_out_rows}
        assert len(fold.rows) + len(fold.held_out_rows) == 53
        return fold.held_out_rows[:, :1] + fold.held_out_targets[:, np.newaxis]

    outputs = cross_fit(fit_fold, rows, targets, seed=1)

    assert_allclose(outputs[:, 0], rows[:, 0] + targets)


@pytest.mark.parametrize("level", LEVELS)
def test_residual_intervals_cover_their_level_of_the_calibration_rows(rng, level):
    targets, outputs = rng.normal(size=1000), np.zeros((1000, 1))

    _, lower, upper = residual_interval(outputs, targets).estimate(outputs, level)

    assert level <= np.mean((lower <= targets) & (targets <= upper)) < level + 0.01


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("carelessness", [0.3, 3.0])
def test_quantile_intervals_cover_their_level_of_the_calibration_rows(rng, level, carelessness):
    """Also if the network's own quantiles are far too narrow or far too wide."""
    spread = rng.uniform(0.1, 2.0, size=2000)
    targets = spread * rng.normal(size=2000)
    widths = carelessness * spread[:, np.newaxis] * np.array([0.7, 1.3, 1.6, 2.0])
    predictions = rng.normal(size=(2000, 1)) * 0.01
    outputs = np.hstack([predictions, -widths[:, ::-1], widths])

    interval = quantile_interval(outputs, targets)
    predictions, lower, upper = interval.estimate(outputs, level)

    held = (lower <= targets) & (targets <= upper)
    groups = np.searchsorted(interval.edges, outputs[:, 0])
    for group in range(4):
        assert level - 0.001 <= np.mean(held[groups == group]) < level + 0.03
    assert (lower <= predictions).all()
    assert (predictions <= upper).all()
    assert lower.min() >= targets.min()
    assert upper.max() <= targets.max()
