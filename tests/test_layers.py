import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models.layers import Dense, ReLU, Sigmoid
from tests.support.complex_step import complex_step
from training.loss import mean_squared_error, mean_squared_error_gradient

ACTIVATIONS = [Sigmoid(), ReLU()]


def dense(rng, fan_in=3, fan_out=4, biases=4):
    return Dense(rng.normal(size=(fan_in, fan_out)), rng.normal(size=biases))


def test_dense_forward_is_an_affine_map():
    layer = Dense(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.5, -0.5]))

    assert_array_equal(layer.forward(np.array([[1.0, 1.0], [0.0, 2.0]])), [[4.5, 5.5], [6.5, 7.5]])


@pytest.mark.parametrize("fan_out", [1, 4])
@pytest.mark.parametrize("shared_bias", [False, True])
@pytest.mark.parametrize("batch", [1, 7])
def test_dense_gradients_match_the_complex_step(rng, fan_out, shared_bias, batch):
    layer = dense(rng, fan_out=fan_out, biases=1 if shared_bias else fan_out)
    inputs, targets = rng.normal(size=(batch, 3)), rng.normal(size=(batch, fan_out))

    grad_outputs = mean_squared_error_gradient(layer.forward(inputs), targets)
    gradients = layer.gradients(inputs, grad_outputs)

    def loss_of_weights(weights):
        return mean_squared_error(Dense(weights, layer.biases).forward(inputs), targets)

    def loss_of_biases(biases):
        return mean_squared_error(Dense(layer.weights, biases).forward(inputs), targets)

    assert_allclose(gradients["weights"], complex_step(loss_of_weights, layer.weights), rtol=1e-12)
    assert_allclose(gradients["biases"], complex_step(loss_of_biases, layer.biases), rtol=1e-12)


@pytest.mark.parametrize("name", ["dense", *ACTIVATIONS], ids=lambda x: type(x).__name__)
def test_backward_matches_the_complex_step(rng, name):
    layer = dense(rng) if name == "dense" else name
    inputs = rng.normal(size=(7, 3)) * 3
    outputs = layer.forward(inputs)
    targets = rng.normal(size=outputs.shape)

    grad_outputs = mean_squared_error_gradient(outputs, targets)
    grad_inputs = layer.backward(inputs, outputs, grad_outputs)

    def loss(inputs):
        return mean_squared_error(layer.forward(inputs), targets)

    assert_allclose(grad_inputs, complex_step(loss, inputs), rtol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda x: type(x).__name__)
def test_backward_matches_the_complex_step_to_rounding_far_from_zero(activation):
    inputs = np.array([[-700.0, -30.0, -5.0, 5.0, 30.0, 700.0]])
    outputs = activation.forward(inputs)

    slopes = activation.backward(inputs, outputs, np.ones_like(inputs))

    assert_allclose(slopes, activation.forward(inputs + 1e-20j).imag / 1e-20, rtol=0, atol=1e-14)


def test_relu_propagates_nan():
    assert np.isnan(ReLU().forward(np.array([[np.nan]]))).all()


def test_an_initial_layer_has_one_bias_a_unit_and_weights_scaled_by_its_fan_in(rng):
    layer = Dense.initial(400, 300, rng=rng)

    assert_array_equal(layer.biases, np.zeros(300))
    assert layer.weights.shape == (400, 300)
    assert_allclose(layer.weights.std(), np.sqrt(2 / 400), rtol=0.01)


def test_activations_give_their_textbook_values():
    inputs = np.array([[-1.0, 0.0, 2.0]])
    sigmoid = 1 / (1 + np.exp(-inputs))

    assert_allclose(Sigmoid().forward(inputs), sigmoid, rtol=1e-15)
    assert_array_equal(ReLU().forward(inputs), [[0.0, 0.0, 2.0]])


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda x: type(x).__name__)
def test_activations_do_not_overflow_or_change_their_inputs(activation):
    inputs = np.array([[-1e308, -1e4, 0.0, 1e4, 1e300]])
    before = inputs.copy()

    outputs = activation.forward(inputs)  # a RuntimeWarning would be an error here

    assert np.isfinite(outputs).all()
    assert np.isfinite(activation.backward(inputs, outputs, np.ones_like(inputs))).all()
    assert_array_equal(inputs, before)
