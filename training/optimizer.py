"""How the gradient moves the parameters."""

from dataclasses import dataclass

import numpy as np

from models.network import Gradients, Network


@dataclass(frozen=True, slots=True)
class GradientDescent:
    """w <- w - learning_rate dL/dw."""

    learning_rate: float

    def step(self, network: Network, gradients: Gradients) -> None:
        """Move the network's parameters, in place."""
        for layer, layer_gradients in zip(network.layers, gradients, strict=True):
            for name, values in layer.parameters.items():
                np.subtract(values, self.learning_rate * layer_gradients[name], out=values)
