import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.house_price import HousePriceModel
from models.interval import ResidualInterval
from models.layers import Dense
from models.network import Network
from models.scaler import StandardScaler
from models.shapley import Background
from models.training_ranges import TrainingRanges


@pytest.fixture
def model():
    """Predicts (the first feature - 1) / 2, plus 3."""
    weights = np.array([[1.0], *[[0.0]] * 7])
    return HousePriceModel(
        StandardScaler(mean=np.ones(8), scale=np.full(8, 2.0)),
        Network([Dense(weights, np.array([3.0]))]),
        ResidualInterval(np.array([0.5, 0.9]), np.array([0.25, 0.5])),
        TrainingRanges(np.zeros(8), np.full(8, 10.0), 0.0, 5.00001),
        Background(np.ones((2, 8))),
    )


def test_a_row_is_scaled_and_predicted_with_an_interval(model):
    rows = np.array([[1.0] * 8, [5.0] * 8])

    predictions, lower, upper = model.estimate(rows)

    assert predictions.tolist() == [3.0, 5.0]
    assert lower.tolist() == [2.5, 4.5]
    assert upper.tolist() == [3.5, 5.5]


def test_one_row_has_the_same_prediction_alone_and_in_a_batch(saved, rng):
    rows = saved.golden_rows[rng.integers(0, 8, size=1000)] * rng.uniform(0.5, 1.5, size=(1000, 8))

    alone = np.concatenate([saved.model.predict(row[np.newaxis]) for row in rows])

    assert_allclose(saved.model.predict(rows), alone, rtol=1e-12)


def row_of_prediction(prediction):
    row = np.ones(8)
    row[0] = 2.0 * (prediction - 3.0) + 1.0
    return row


def test_a_row_inside_the_training_ranges_has_no_warnings(model):
    assert model.estimate_with_warnings(row_of_prediction(4.9)[np.newaxis])[1] == [[]]


def test_each_feature_outside_its_training_range_has_a_warning(model):
    row = np.array([1.0, 11.0, 1.0, 1.0, -1.0, 1.0, 1.0, 1.0])

    _, (warnings,) = model.estimate_with_warnings(row[np.newaxis])

    assert warnings == [
        "HouseAge is outside its training range, 0 to 10 (years).",
        "Population is outside its training range, 0 to 10 (people).",
    ]


@pytest.mark.parametrize("prediction", [4.995, 5.00001, 7.0])
def test_a_prediction_at_the_cap_of_the_data_has_a_warning(model, prediction):
    assert model.estimate_with_warnings(row_of_prediction(prediction)[np.newaxis])[1] == [
        ["The data end at 500,001 USD: read the prediction as that or more."]
    ]


def test_a_prediction_below_all_training_values_has_a_warning(model):
    _, (warnings,) = model.estimate_with_warnings(row_of_prediction(-0.1)[np.newaxis])

    assert (
        "The prediction is below all values seen in training, 0 (100,000 USD of 1990) and up."
        in warnings
    )


def test_each_row_has_the_same_warnings_alone_and_in_a_batch(saved, rng):
    rows = saved.golden_rows[rng.integers(0, 8, size=200)]
    rows[:, :6] *= rng.uniform(0.5, 3.0, size=(200, 6))

    _, together = saved.model.estimate_with_warnings(rows)

    assert together == [saved.model.estimate_with_warnings(row[np.newaxis])[1][0] for row in rows]
    assert [] in together
    assert max(map(len, together)) > 1


def test_another_calibrated_level_gives_another_interval(model):
    predictions, lower, upper = model.estimate(np.ones((1, 8)), 0.5)

    assert (predictions.item(), lower.item(), upper.item()) == (3.0, 2.75, 3.25)


def test_a_level_that_is_not_calibrated_is_an_error(model):
    with pytest.raises(ValueError, match=r"must be one of \[0.5, 0.9\], got 0.8"):
        model.estimate(np.ones((1, 8)), 0.8)
