from collections import deque

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models.layers import Dense, Sigmoid
from models.network import Network
from training.fit.full_batch import DivergedError, fit
from training.loss import mean_squared_error, mean_squared_error_gradient
from training.optimizer import GradientDescent


def two_layers(seed=0, fan_in=2, hidden=12):
    rng = np.random.default_rng(seed)
    return Network(
        [
            Dense(rng.normal(size=(fan_in, hidden)), np.zeros(hidden)),
            Sigmoid(),
            Dense(rng.normal(size=(hidden, 1)), np.zeros(1)),
        ]
    )


def test_the_mean_squared_error_is_a_mean_without_the_factor_of_a_half():
    predictions, targets = np.array([[1.0], [2.0]]), np.array([[0.0], [5.0]])

    assert mean_squared_error(predictions, targets) == (1 + 9) / 2
    assert_array_equal(mean_squared_error_gradient(predictions, targets), [[1.0], [-3.0]])


def test_one_step_of_gradient_descent_matches_a_calculation_by_hand():
    # P = 2 x + 1 at x = 3 is 7; y = 5, so dL/dP = 2 (7 - 5) = 4, dL/dw = 12, dL/db = 4.
    layer = Dense(np.array([[2.0]]), np.array([1.0]))

    losses = fit(
        Network([layer]),
        np.array([[3.0]]),
        np.array([[5.0]]),
        optimizer=GradientDescent(learning_rate=0.1),
        steps=1,
    )

    assert list(losses) == [4.0]
    assert_allclose(layer.weights, [[2.0 - 1.2]])
    assert_allclose(layer.biases, [1.0 - 0.4])


def test_a_fit_memorises_ten_rows(rng):
    inputs, targets = rng.normal(size=(10, 8)), rng.normal(size=(10, 1))
    network = two_layers(fan_in=8, hidden=20)

    losses = list(fit(network, inputs, targets, optimizer=GradientDescent(0.1), steps=5_000))

    assert losses[0] > 0.5
    assert losses[-1] < 1e-4
    assert_allclose(network.predict(inputs), targets, atol=0.03)


def test_equal_seeds_give_equal_parameters(rng):
    inputs, targets = rng.normal(size=(10, 2)), rng.normal(size=(10, 1))
    networks = [two_layers(seed=3), two_layers(seed=3)]

    for network in networks:
        deque(fit(network, inputs, targets, optimizer=GradientDescent(0.1), steps=50), maxlen=0)

    for one, other in zip(networks[0].layers, networks[1].layers, strict=True):
        for name, values in one.parameters.items():
            assert_array_equal(values, other.parameters[name])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_fit_that_diverges_raises_an_error():
    network = Network([Dense(np.array([[1.0]]), np.array([0.0]))])
    losses = fit(
        network,
        np.array([[100.0]]),
        np.array([[1.0]]),
        optimizer=GradientDescent(1.0),
        steps=1000,
    )

    with pytest.raises(DivergedError, match="must stay finite, got inf at step"):
        list(losses)
