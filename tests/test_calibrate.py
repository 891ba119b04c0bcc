import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.interval import ConformalInterval
from training.calibrate import FOLDS, conformal_quantile, cross_fit_interval


def test_the_interval_is_the_prediction_plus_or_minus_its_half_width():
    lower, upper = ConformalInterval(0.9, 0.5).around(np.array([1.0, 2.0]))

    assert lower.tolist() == [0.5, 1.5]
    assert upper.tolist() == [1.5, 2.5]


def test_the_conformal_quantile_is_the_rank_that_the_paper_gives():
    residuals = np.arange(1.0, 20.0)  # n = 19: ceil(20 * 0.9) = 18

    assert conformal_quantile(residuals, 0.9) == 18.0
    assert conformal_quantile(residuals[::-1].copy(), 0.95) == 19.0


def test_too_few_residuals_for_the_level_are_refused():
    with pytest.raises(ValueError, match="must have more than 8 residuals"):
        conformal_quantile(np.ones(8), 0.9)


@given(
    st.lists(st.floats(0, 1e6), min_size=19, max_size=200), st.sampled_from([0.5, 0.8, 0.9, 0.95])
)
def test_at_least_the_level_of_the_residuals_is_within_the_quantile(residuals, level):
    quantile = conformal_quantile(np.array(residuals), level)

    assert np.mean(np.array(residuals) <= quantile) >= level


def test_no_row_calibrates_a_predictor_that_was_fitted_on_it(rng):
    rows, targets = rng.normal(size=(50, 8)), rng.normal(size=50)
    held_out = []

    def fit_predictor(fold_rows, fold_targets):
        seen = {row.tobytes() for row in fold_rows}

        def predict(asked):
            assert not seen & {row.tobytes() for row in asked}
            held_out.extend(row.tobytes() for row in asked)
            return np.zeros(len(asked))

        return predict

    interval = cross_fit_interval(fit_predictor, rows, targets, seed=1)

    assert sorted(held_out) == sorted(row.tobytes() for row in rows)
    assert interval == ConformalInterval(0.9, conformal_quantile(np.abs(targets), 0.9))
    assert FOLDS == 5
