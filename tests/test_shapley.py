import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.shapley import shapley_values


def test_contributions_to_a_linear_prediction_are_the_weighted_differences(rng):
    weights, row, background = rng.normal(size=8), rng.normal(size=8), rng.normal(size=(10, 8))

    baseline, contributions = shapley_values(lambda rows: rows @ weights, row, background)

    assert baseline == pytest.approx(float(np.mean(background @ weights)))
    assert_allclose(contributions, weights * (row - background.mean(axis=0)), atol=1e-12)


def test_two_features_that_only_interact_share_their_product():
    """F = x1 x2 against a background of 0: each gets half of the product."""
    baseline, contributions = shapley_values(
        lambda rows: rows[:, 0] * rows[:, 1], np.array([3.0, 4.0, 5.0]), np.zeros((1, 3))
    )

    assert baseline == 0.0
    assert_allclose(contributions, [6.0, 6.0, 0.0], atol=1e-12)
