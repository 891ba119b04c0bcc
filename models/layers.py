"""Forward and backward of each layer, side by side.

X is a layer's inputs, Y its outputs, L the loss; rows are examples. Forward also takes a stack of
batches, (..., batch, fan_in), and computes each independently. A layer keeps no state between
calls, so one network serves concurrent requests. Every forward pass is complex-safe, so that the
tests can check the backward passes to rounding error (the complex-step derivative: Squire and
Trapp, "Using Complex Variables to Estimate Derivatives of Real Functions", SIAM Review 40, 1998,
110-112).
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from models.arrays import FloatArray


class Layer(Protocol):
    """One layer of a network."""

    @property
    def parameters(self) -> dict[str, FloatArray]:
        """The trainable arrays by name."""

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Compute Y from X."""

    def backward(
        self, inputs: FloatArray, outputs: FloatArray, grad_outputs: FloatArray
    ) -> FloatArray:
        """Compute dL/dX from dL/dY."""

    def gradients(self, inputs: FloatArray, grad_outputs: FloatArray) -> dict[str, FloatArray]:
        """Compute dL/d(parameter) from dL/dY, by the parameter's name."""


@dataclass(frozen=True, slots=True)
class Dense:
    """An affine layer, Y = X W + b, with X (batch, fan_in) and Y (batch, fan_out).

    Y has the memory order of X. In column order, the element-wise layers that follow run along the
    batch.
    """

    weights: FloatArray  # W, (fan_in, fan_out)
    biases: FloatArray  # b, (fan_out,), or (1,): one bias shared by all units

    @classmethod
    def initial(cls, fan_in: int, fan_out: int, *, rng: "np.random.Generator") -> "Dense":
        """Initialise a layer: weights of variance 2 / fan_in, and a bias of 0 for each unit.

        He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", arXiv:1502.01852, equation 10.
        """
        scale = np.sqrt(2.0 / fan_in)
        return cls(rng.normal(scale=scale, size=(fan_in, fan_out)), np.zeros(fan_out))

    @property
    def parameters(self) -> dict[str, FloatArray]:
        return {"weights": self.weights, "biases": self.biases}

    def forward(self, inputs: FloatArray) -> FloatArray:
        order: Literal["C", "F"] = "C" if inputs.flags.c_contiguous else "F"
        outputs: FloatArray = np.matmul(inputs, self.weights, order=order) + self.biases
        return outputs

    def backward(
        self, inputs: FloatArray, outputs: FloatArray, grad_outputs: FloatArray
    ) -> FloatArray:
        # dL/dX = dL/dY W^T, by np.dot: matmul is slow for a fan_out of 1
        grad_inputs: FloatArray = np.dot(self.weights, grad_outputs.T).T
        return grad_inputs

    def gradients(self, inputs: FloatArray, grad_outputs: FloatArray) -> dict[str, FloatArray]:
        grad_weights = inputs.T @ grad_outputs  # dL/dW = X^T dL/dY
        grad_biases = grad_outputs.sum(axis=0)  # dL/db = sum of dL/dY over the batch
        if len(self.biases) == 1:  # shared by all units: their gradients add up
            grad_biases = grad_biases.sum(keepdims=True)
        return {"weights": grad_weights, "biases": grad_biases}


@dataclass(frozen=True)
class Activation:
    """An element-wise layer without parameters."""

    @property
    def parameters(self) -> dict[str, FloatArray]:
        return {}

    def gradients(self, inputs: FloatArray, grad_outputs: FloatArray) -> dict[str, FloatArray]:
        return {}


class Sigmoid(Activation):
    """Y = 1 / (1 + exp(-X))."""

    def forward(self, inputs: FloatArray) -> FloatArray:
        outputs = np.negative(inputs)  # in place, for speed
        with np.errstate(over="ignore"):  # exp(-X) may be infinite; then Y is 0
            np.exp(outputs, out=outputs)
        outputs += 1.0
        return np.reciprocal(outputs, out=outputs)

    def backward(
        self, inputs: FloatArray, outputs: FloatArray, grad_outputs: FloatArray
    ) -> FloatArray:
        grad_inputs = 1.0 - outputs  # dY/dX = Y (1 - Y)
        grad_inputs *= outputs
        grad_inputs *= grad_outputs
        return grad_inputs


class ReLU(Activation):
    """Y = max(X, 0)."""

    def forward(self, inputs: FloatArray) -> FloatArray:
        return np.maximum(inputs, 0.0)  # propagates NaN

    def backward(
        self, inputs: FloatArray, outputs: FloatArray, grad_outputs: FloatArray
    ) -> FloatArray:
        return np.where(inputs > 0.0, grad_outputs, 0.0)  # dY/dX = 1 where X > 0, else 0


@dataclass(frozen=True, slots=True)
class Standardise(Activation):
    """Y = (X - mean) / scale, clipped to +-limit; mean and scale are fitted, not trained."""

    mean: FloatArray  # (features,)
    scale: FloatArray  # (features,), above 0
    limit: float  # standard deviations

    def __post_init__(self) -> None:
        if not (self.scale > 0).all() or not self.limit > 0:
            raise ValueError(
                f"every scale and the limit must be above 0, "
                f"got {self.scale.min():g} and {self.limit:g}"
            )

    def forward(self, inputs: FloatArray) -> FloatArray:
        standardised = (inputs - self.mean) / self.scale
        return np.maximum(np.minimum(standardised, self.limit), -self.limit)  # propagates NaN

    def backward(
        self, inputs: FloatArray, outputs: FloatArray, grad_outputs: FloatArray
    ) -> FloatArray:
        return np.where(np.abs(outputs) < self.limit, grad_outputs / self.scale, 0.0)


@dataclass(frozen=True, slots=True)
class Mask:
    """Dropout: Y = X F, element by element, with a mask F drawn for one training step.

    Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 15,
    2014, section 4; scaled in training (inverted dropout), so that predicting needs no mask.
    """

    factors: FloatArray  # F, (batch, units): 0 for a dropped unit, 1 / (1 - dropout) for a kept one

    @classmethod
    def draw(cls, shape: tuple[int, ...], dropout: float, *, rng: "np.random.Generator") -> "Mask":
        """Draw a mask that drops each unit of each example with probability `dropout`."""
        kept = rng.random(shape, dtype=np.float32) >= dropout
        return cls(kept / np.float32(1.0 - dropout))

    @property
    def parameters(self) -> dict[str, FloatArray]:
        return {}

    def forward(self, inputs: FloatArray) -> FloatArray:
        return inputs * self.factors

    def backward(
        self, inputs: FloatArray, outputs: FloatArray, grad_outputs: FloatArray
    ) -> FloatArray:
        return grad_outputs * self.factors  # dL/dX = dL/dY F

    def gradients(self, inputs: FloatArray, grad_outputs: FloatArray) -> dict[str, FloatArray]:
        return {}
