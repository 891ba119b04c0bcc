"""Full-batch training."""

import math
from collections.abc import Iterator

import numpy as np

from models.arrays import FloatArray
from models.network import Network
from training.loss import mean_squared_error, mean_squared_error_gradient
from training.optimizer import GradientDescent


class DivergedError(Exception):
    """The loss left the finite numbers."""


def fit(
    network: Network,
    inputs: FloatArray,
    targets: FloatArray,
    *,
    optimizer: GradientDescent,
    steps: int,
) -> Iterator[float]:
    """Move the network's parameters down the mean squared error, a step for each loss taken.

    Inputs are (N, fan_in), targets (N, 1). Yields the loss before each step's update; after the
    last one the network is trained. Raises DivergedError at a loss that is not finite.
    """
    inputs = np.asfortranarray(inputs)  # and so are all activations: a unit's stand side by side
    for step in range(steps):
        activations = network.forward(inputs)
        loss = mean_squared_error(activations[-1], targets)
        if not math.isfinite(loss):
            raise DivergedError(f"the loss must stay finite, however it was {loss} at step {step}")
        yield loss
        grad_outputs = mean_squared_error_gradient(activations[-1], targets)
        optimizer.step(network, network.backward(activations, grad_outputs))
