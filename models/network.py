"""The layers in order."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from models.arrays import FloatArray
from models.layers import Layer

# Rows to predict at a time, so that the outputs of a layer stay in the cache: of a small network as
# one batch, of one in float32 as a stack of batches of one.
BATCH, STACK = 1024, 128

Gradients = list[dict[str, FloatArray]]
"""For each layer, in order, the gradient of the loss by parameter name."""


@dataclass(frozen=True, slots=True)
class Network:
    """A multi-layer perceptron."""

    layers: Sequence[Layer]
    dtype: np.dtype[Any] = field(init=False)  # of the parameters

    def __post_init__(self) -> None:
        parameters = [values for layer in self.layers for values in layer.parameters.values()]
        object.__setattr__(self, "dtype", np.result_type(*parameters, np.float32))

    @property
    def rows_to_a_batch(self) -> int:
        """How many rows make a batch: in float32 one, which so rounds as it does alone."""
        return 1 if self.dtype == np.float32 else BATCH

    def predict(self, inputs: FloatArray) -> FloatArray:
        """Inputs (batch, fan_in) to outputs (batch, fan_out), in the network's own precision."""
        if self.rows_to_a_batch > 1:
            return self._outputs(inputs.astype(self.dtype, copy=False), BATCH)
        stack = inputs.astype(self.dtype, order="C", copy=False)[:, np.newaxis]
        return self._outputs(stack, STACK)[:, 0]

    def _outputs(self, inputs: FloatArray, at_a_time: int) -> FloatArray:
        if len(inputs) <= at_a_time:
            return self.forward(inputs)[-1]
        parts = np.split(inputs, range(at_a_time, len(inputs), at_a_time))
        return np.concatenate([self.forward(part)[-1] for part in parts])

    def forward(self, inputs: FloatArray) -> list[FloatArray]:
        """The inputs, then the outputs of each layer: what `backward` needs.

        Of a stack of batches, (..., batch, fan_in), each goes through by itself.
        """
        activations = [inputs]
        for layer in self.layers:
            activations.append(layer.forward(activations[-1]))
        return activations

    def as_type(self, dtype: type[np.floating[Any]]) -> "Network":
        """The same network with its arrays in another precision."""
        return Network([_as_type(layer, dtype) for layer in self.layers])

    def backward(self, activations: list[FloatArray], grad_outputs: FloatArray) -> Gradients:
        """The chain rule, last layer first (Rumelhart, Hinton and Williams, Nature 323, 1986).

        Takes what `forward` returned and dL/d(outputs) (batch, fan_out).
        """
        gradients: Gradients = []
        for index in reversed(range(len(self.layers))):
            layer, inputs, outputs = self.layers[index], activations[index], activations[index + 1]
            gradients.insert(0, layer.gradients(inputs, grad_outputs))
            if index > 0:  # nobody asks for the gradient of the network's own inputs
                grad_outputs = layer.backward(inputs, outputs, grad_outputs)
        return gradients


def _as_type(layer: Layer, dtype: type[np.floating[Any]]) -> Layer:
    arrays = {name: values.astype(dtype) for name, values in layer.parameters.items()}
    return cast("Layer", replace(cast("Any", layer), **arrays))
