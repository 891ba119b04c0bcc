"""Optimizers: update a network's parameters from gradients."""

from dataclasses import dataclass, field

import numpy as np

from models.arrays import FloatArray
from models.network import Gradients, Network


@dataclass(frozen=True, slots=True)
class GradientDescent:
    """w <- w - learning_rate dL/dw."""

    learning_rate: float

    def step(self, network: Network, gradients: Gradients) -> None:
        """Update the network's parameters in place."""
        for layer, layer_gradients in zip(network.layers, gradients, strict=True):
            for name, values in layer.parameters.items():
                np.subtract(values, self.learning_rate * layer_gradients[name], out=values)


@dataclass(slots=True)
class AdamW:
    """Adam with decoupled weight decay and clipping of the gradient's norm.

    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", arXiv:1711.05101, algorithm 2.
    Only weights decay, not biases and scales.
    """

    weight_decay: float
    clip_norm: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    steps: int = 0
    first_moments: list[FloatArray] = field(default_factory=list)
    second_moments: list[FloatArray] = field(default_factory=list)

    def step(self, network: Network, gradients: Gradients, learning_rate: float) -> None:
        """Update the network's parameters in place."""
        flat = [
            (values, grads[name], name == "weights")
            for layer, grads in zip(network.layers, gradients, strict=True)
            for name, values in layer.parameters.items()
        ]
        if not self.first_moments:
            self.first_moments = [np.zeros_like(values) for values, _, _ in flat]
            self.second_moments = [np.zeros_like(values) for values, _, _ in flat]
        self.steps += 1
        scale = self._clip_scale([gradient for _, gradient, _ in flat])
        rate = learning_rate / (1 - self.beta1**self.steps)
        correction = 1 - self.beta2**self.steps
        for (values, gradient, decays), first, second in zip(
            flat, self.first_moments, self.second_moments, strict=True
        ):
            gradient = gradient * scale  # a copy: the caller's gradient is not changed
            first += (1 - self.beta1) * (gradient - first)
            second += (1 - self.beta2) * (gradient * gradient - second)
            if decays:
                values *= 1 - learning_rate * self.weight_decay
            values -= rate * first / (np.sqrt(second / correction) + self.epsilon)

    def _clip_scale(self, gradients: list[FloatArray]) -> float:
        norm = float(np.sqrt(sum(np.vdot(gradient, gradient) for gradient in gradients)))
        return min(1.0, self.clip_norm / (norm + self.epsilon))
