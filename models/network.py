"""A network: layers in order, forward and backward."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from models.arrays import FloatArray
from models.layers import Layer

# Rows predicted at a time, so that a layer's outputs stay in the processor's cache: as one batch in
# float64, and as a stack of one-row batches in float32.
BATCH, STACK = 1024, 128

Gradients = list[dict[str, FloatArray]]
"""The gradients of the loss by parameter name, for each layer in order."""


@dataclass(frozen=True, slots=True)
class Network:
    """A multi-layer perceptron."""

    layers: Sequence[Layer]
    dtype: np.dtype[Any] = field(init=False)  # of the parameters

    def __post_init__(self) -> None:
        parameters = [values for layer in self.layers for values in layer.parameters.values()]
        object.__setattr__(self, "dtype", np.result_type(*parameters, np.float32))

    @property
    def rows_per_batch(self) -> int:
        """1 in float32, so that a row's result does not depend on the other rows."""
        return 1 if self.dtype == np.float32 else BATCH

    def predict(self, inputs: FloatArray) -> FloatArray:
        """Compute outputs (n, fan_out) from inputs (n, fan_in) in the network's precision."""
        if self.rows_per_batch > 1:
            return self._outputs(inputs.astype(self.dtype, copy=False), BATCH)
        stack = inputs.astype(self.dtype, order="C", copy=False)[:, np.newaxis]
        return self._outputs(stack, STACK)[:, 0]

    def _outputs(self, inputs: FloatArray, at_a_time: int) -> FloatArray:
        if len(inputs) <= at_a_time:
            return self.forward(inputs)[-1]
        chunks = np.split(inputs, range(at_a_time, len(inputs), at_a_time))
        return np.concatenate([self.forward(chunk)[-1] for chunk in chunks])

    def forward(self, inputs: FloatArray) -> list[FloatArray]:
        """Return the inputs and the outputs of each layer, as `backward` needs them.

        Each batch of a stack, (..., batch, fan_in), is computed independently.
        """
        activations = [inputs]
        for layer in self.layers:
            activations.append(layer.forward(activations[-1]))
        return activations

    def as_type(self, dtype: type[np.floating[Any]]) -> "Network":
        """Return the same network with parameters of another dtype."""
        return Network([_as_type(layer, dtype) for layer in self.layers])

    def backward(self, activations: list[FloatArray], grad_outputs: FloatArray) -> Gradients:
        """Apply the chain rule, last layer first.

        Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors",
        Nature 323, 1986, 533-536.

        Takes the activations that `forward` returned, and dL/d(outputs) (batch, fan_out).
        """
        gradients: Gradients = []
        for index in reversed(range(len(self.layers))):
            layer, inputs, outputs = self.layers[index], activations[index], activations[index + 1]
            gradients.insert(0, layer.gradients(inputs, grad_outputs))
            if index > 0:  # the gradient of the network's inputs is not needed
                grad_outputs = layer.backward(inputs, outputs, grad_outputs)
        return gradients


def _as_type(layer: Layer, dtype: type[np.floating[Any]]) -> Layer:
    arrays = {name: values.astype(dtype) for name, values in layer.parameters.items()}
    return cast("Layer", replace(cast("Any", layer), **arrays))
