from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models.layers import Dense, ReLU, Sigmoid
from models.network import STACK, Network
from tests.support.complex_step import complex_step
from training.loss import mean_squared_error, mean_squared_error_gradient


def network(rng):
    widths = [3, 5, 4, 6, 2]
    dense = [
        Dense(rng.normal(size=(fan_in, fan_out)), rng.normal(size=fan_out))
        for fan_in, fan_out in pairwise(widths)
    ]
    return Network([dense[0], Sigmoid(), dense[1], Sigmoid(), dense[2], ReLU(), dense[3]])


def test_predict_applies_the_layers_in_order():
    doubles = Dense(np.array([[2.0]]), np.array([0.0]))
    adds_one = Dense(np.array([[1.0]]), np.array([1.0]))

    assert_array_equal(Network([doubles, adds_one]).predict(np.array([[3.0]])), [[7.0]])


def test_backward_matches_the_complex_step_in_every_parameter(rng):
    net = network(rng)
    inputs, targets = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))

    activations = net.forward(inputs)
    gradients = net.backward(activations, mean_squared_error_gradient(activations[-1], targets))

    for index, layer in enumerate(net.layers):
        for name, values in layer.parameters.items():

            def loss(nudged, index=index, layer=layer, name=name):
                layers = [*net.layers]
                layers[index] = Dense(**{**layer.parameters, name: nudged})
                return mean_squared_error(Network(layers).predict(inputs), targets)

            assert_allclose(
                gradients[index][name], complex_step(loss, values), rtol=1e-12, atol=1e-15
            )


def test_backward_matches_a_central_difference_along_a_random_direction(rng):
    net = network(rng)
    inputs, targets = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    directions = [
        {name: rng.normal(size=values.shape) for name, values in layer.parameters.items()}
        for layer in net.layers
    ]

    def loss(step):
        moved = [
            Dense(**{name: v + step * along[name] for name, v in layer.parameters.items()})
            if isinstance(layer, Dense)
            else layer
            for layer, along in zip(net.layers, directions, strict=True)
        ]
        return mean_squared_error(Network(moved).predict(inputs), targets)

    activations = net.forward(inputs)
    gradients = net.backward(activations, mean_squared_error_gradient(activations[-1], targets))
    slope = sum(
        np.sum(gradient[name] * along[name])
        for gradient, along in zip(gradients, directions, strict=True)
        for name in along
    )

    assert_allclose(slope, (loss(1e-6) - loss(-1e-6)) / 2e-6, rtol=1e-7)


@pytest.mark.parametrize("layout", ["C", "F"])
def test_in_float32_a_row_has_the_same_bits_alone_and_in_a_batch(rng, layout):
    net = network(rng).as_type(np.float32)
    inputs = np.array(rng.normal(size=(3 * STACK + 1, 3)), dtype=np.float32, order=layout)

    together = net.predict(inputs)

    assert_array_equal(together, [net.predict(row[np.newaxis])[0] for row in inputs])
