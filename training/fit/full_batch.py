"""Full-batch gradient descent."""

import math
from collections.abc import Iterator

import numpy as np

from models.arrays import FloatArray
from models.network import Network
from training.loss import mean_squared_error, mean_squared_error_gradient
from training.optimizer import GradientDescent


class DivergedError(Exception):
    """The loss is no longer finite."""


def fit(
    network: Network,
    inputs: FloatArray,
    targets: FloatArray,
    *,
    optimizer: GradientDescent,
    steps: int,
) -> Iterator[float]:
    """Minimise the mean squared error in place, and yield the loss before each step's update.

    Inputs are (n, fan_in), targets (n, 1). The network is trained once all losses are taken.
    Raises DivergedError when the loss is no longer finite.
    """
    inputs = np.asfortranarray(inputs)  # activations follow: each unit is contiguous in memory
    for step in range(steps):
        activations = network.forward(inputs)
        loss = mean_squared_error(activations[-1], targets)
        if not math.isfinite(loss):
            raise DivergedError(f"the loss must stay finite, got {loss} at step {step}")
        yield loss
        grad_outputs = mean_squared_error_gradient(activations[-1], targets)
        optimizer.step(network, network.backward(activations, grad_outputs))
