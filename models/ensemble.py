"""Layers of an ensemble whose members share all but their first and last parameters.

Gorishniy, Kotelnikov and Babenko, "TabM: Advancing Tabular Deep Learning with Parameter-Efficient
Ensembling", arXiv:2410.24210, section 3.3 (TabM-mini): each member scales the inputs by its own
factors, runs the shared layers, and has its own output layer. The batches of the members are
stacked along the batch axis, so that the shared layers are ordinary ones.
"""

from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray
from models.layers import Activation


@dataclass(frozen=True, slots=True)
class MemberScale:
    """Y_m = X r_m, with X (batch, features) and Y (members x batch, features)."""

    factors: FloatArray  # r, (members, features)

    @property
    def parameters(self) -> dict[str, FloatArray]:
        return {"factors": self.factors}

    def forward(self, inputs: FloatArray) -> FloatArray:
        return _stack_members(self.factors[:, np.newaxis] * inputs[..., np.newaxis, :, :])

    def backward(
        self, inputs: FloatArray, outputs: FloatArray, grad_outputs: FloatArray
    ) -> FloatArray:
        by_member = _split_members(grad_outputs, len(self.factors))
        grad_inputs: FloatArray = np.einsum("mbf,mf->bf", by_member, self.factors)
        return grad_inputs  # dL/dX = sum of dL/dY_m r_m over the members

    def gradients(self, inputs: FloatArray, grad_outputs: FloatArray) -> dict[str, FloatArray]:
        by_member = _split_members(grad_outputs, len(self.factors))
        return {"factors": np.einsum("mbf,bf->mf", by_member, inputs)}  # sum of dL/dY_m X


@dataclass(frozen=True, slots=True)
class MemberDense:
    """Y_m = X_m W_m + b_m, with X (members x batch, fan_in) and Y (members x batch, fan_out)."""

    weights: FloatArray  # W, (members, fan_in, fan_out)
    biases: FloatArray  # b, (members, fan_out)

    @property
    def parameters(self) -> dict[str, FloatArray]:
        return {"weights": self.weights, "biases": self.biases}

    def forward(self, inputs: FloatArray) -> FloatArray:
        outputs = self._split(inputs) @ self.weights + self.biases[:, np.newaxis]
        return _stack_members(outputs)

    def backward(
        self, inputs: FloatArray, outputs: FloatArray, grad_outputs: FloatArray
    ) -> FloatArray:
        grad_inputs = self._split(grad_outputs) @ self.weights.transpose(0, 2, 1)
        return grad_inputs.reshape(inputs.shape)  # dL/dX_m = dL/dY_m W_m^T

    def gradients(self, inputs: FloatArray, grad_outputs: FloatArray) -> dict[str, FloatArray]:
        grads = self._split(grad_outputs)
        return {
            "weights": self._split(inputs).transpose(0, 2, 1) @ grads,  # X_m^T dL/dY_m
            "biases": grads.sum(axis=1),
        }

    def _split(self, stacked: FloatArray) -> FloatArray:
        return _split_members(stacked, len(self.weights))


@dataclass(frozen=True, slots=True)
class MemberMean(Activation):
    """Y = mean of Y_m over the members: (members x batch, k) to (batch, k)."""

    members: int

    def forward(self, inputs: FloatArray) -> FloatArray:
        outputs: FloatArray = _split_members(inputs, self.members).sum(axis=-3) / self.members
        return outputs

    def backward(
        self, inputs: FloatArray, outputs: FloatArray, grad_outputs: FloatArray
    ) -> FloatArray:
        return np.tile(grad_outputs / self.members, (self.members, 1))


def _split_members(stacked: FloatArray, members: int) -> FloatArray:
    """Reshape (..., members x batch, k) to (..., members, batch, k)."""
    *stack, rows, units = stacked.shape
    return stacked.reshape(*stack, members, rows // members, units)


def _stack_members(by_member: FloatArray) -> FloatArray:
    """Reshape (..., members, batch, k) to (..., members x batch, k)."""
    *stack, members, batch, units = by_member.shape
    return by_member.reshape(*stack, members * batch, units)
