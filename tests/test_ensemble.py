import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models.ensemble import MemberDense, MemberMean, MemberScale
from models.layers import Dense, Mask, ReLU, Standardise
from models.network import Network
from tests.support.complex_step import complex_step
from training.loss import mean_squared_error, mean_squared_error_gradient

MEMBERS, BATCH = 3, 5


def layers(rng):
    """Each layer that the champion adds, with inputs that fit it."""
    stacked = rng.normal(size=(MEMBERS * BATCH, 4))
    return {
        "MemberScale": (MemberScale(rng.normal(size=(MEMBERS, 4))), rng.normal(size=(BATCH, 4))),
        "MemberDense": (
            MemberDense(rng.normal(size=(MEMBERS, 4, 2)), rng.normal(size=(MEMBERS, 2))),
            stacked,
        ),
        "MemberMean": (MemberMean(MEMBERS), stacked),
        "Standardise": (Standardise(rng.normal(size=4), rng.uniform(0.5, 2, size=4), 1e3), stacked),
        "Mask": (Mask.draw(stacked.shape, 0.4, rng=rng), stacked),
    }


@pytest.mark.parametrize(
    "name", ["MemberScale", "MemberDense", "MemberMean", "Standardise", "Mask"]
)
def test_backward_and_gradients_match_the_complex_step(rng, name):
    layer, inputs = layers(rng)[name]
    outputs = layer.forward(inputs)
    targets = rng.normal(size=outputs.shape)
    grad_outputs = mean_squared_error_gradient(outputs, targets)

    def loss_of_inputs(inputs):
        return mean_squared_error(layer.forward(inputs), targets)

    grad_inputs = layer.backward(inputs, outputs, grad_outputs)
    assert_allclose(grad_inputs, complex_step(loss_of_inputs, inputs), rtol=1e-12, atol=1e-15)

    gradients = layer.gradients(inputs, grad_outputs)
    assert gradients.keys() == layer.parameters.keys()
    for parameter, values in layer.parameters.items():

        def loss(nudged, parameter=parameter):
            changed = type(layer)(**{**layer.parameters, parameter: nudged})
            return mean_squared_error(changed.forward(inputs), targets)

        assert_allclose(gradients[parameter], complex_step(loss, values), rtol=1e-12)


def test_standardise_centres_scales_and_clips():
    layer = Standardise(np.array([1.0, 0.0]), np.array([2.0, 1.0]), limit=5.0)

    outputs = layer.forward(np.array([[3.0, -9.0]]))

    assert_array_equal(outputs, [[1.0, -5.0]])
    assert_array_equal(layer.backward(outputs, outputs, np.ones((1, 2))), [[0.5, 0.0]])


def test_an_ensemble_gives_the_mean_of_separate_networks(rng):
    inputs = rng.normal(size=(BATCH, 4))
    scales, shared = rng.normal(size=(MEMBERS, 4)), Dense.initial(4, 6, rng=rng)
    weights, biases = rng.normal(size=(MEMBERS, 6, 2)), rng.normal(size=(MEMBERS, 2))
    together = Network(
        [MemberScale(scales), shared, ReLU(), MemberDense(weights, biases), MemberMean(MEMBERS)]
    )

    alone = [
        Network([shared, ReLU(), Dense(weights[m], biases[m])]).predict(inputs * scales[m])
        for m in range(MEMBERS)
    ]

    assert_allclose(together.predict(inputs), np.mean(alone, axis=0), rtol=1e-12)


def test_each_batch_of_a_stack_has_the_output_that_it_has_alone(rng):
    network = Network(
        [
            Standardise(rng.normal(size=4), rng.uniform(0.5, 2, size=4), 2.0),
            MemberScale(rng.normal(size=(MEMBERS, 4))),
            Dense.initial(4, 6, rng=rng),
            ReLU(),
            MemberDense(rng.normal(size=(MEMBERS, 6, 2)), rng.normal(size=(MEMBERS, 2))),
            MemberMean(MEMBERS),
        ]
    ).as_type(np.float32)
    stack = rng.normal(size=(7, BATCH, 4)).astype(np.float32)

    together = network.forward(stack)[-1]

    assert_array_equal(together, [network.forward(batch)[-1] for batch in stack])


def test_dropout_keeps_the_mean_of_its_inputs(rng):
    mask = Mask.draw((1000, 100), 0.25, rng=rng)

    assert set(np.unique(mask.factors)) == {np.float32(0), np.float32(1 / 0.75)}
    assert_allclose(mask.factors.mean(), 1.0, atol=0.01)
