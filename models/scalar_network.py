"""A small network's output for one row in plain Python, faster than the calls to NumPy alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import tanh

import numpy as np

from models.features import FEATURES
from models.layers import Dense, Layer, Sigmoid
from models.scaler import StandardScaler

MAX_UNITS = 16  # in the hidden layer; with more, NumPy is faster


@dataclass(frozen=True, slots=True)
class ScalarNetwork:
    """y = c + sum over j of v_j tanh(b_j + sum over i of w_ij x_i), for the eight features x."""

    constant: float  # c
    units: tuple[tuple[float, ...], ...]  # b_j, the eight w_ij, v_j

    def output(self, row: Sequence[float]) -> float:
        """Compute the output for eight features in their own units."""
        x0, x1, x2, x3, x4, x5, x6, x7 = row
        y = self.constant
        for b, w0, w1, w2, w3, w4, w5, w6, w7, v in self.units:
            y += v * tanh(
                b + w0 * x0 + w1 * x1 + w2 * x2 + w3 * x3 + w4 * x4 + w5 * x5 + w6 * x6 + w7 * x7
            )
        return y


def scalar_network(encoder: object, layers: Sequence[Layer]) -> ScalarNetwork | None:
    """Fold scaler, one hidden layer of sigmoids and one linear output into a ScalarNetwork.

    Returns None for any other encoder or network.
    """
    match encoder, [*layers]:
        case StandardScaler() as scaler, [Dense() as hidden, Sigmoid(), Dense() as output]:
            fits = hidden.weights.shape[0] == len(FEATURES) and output.weights.shape[1] == 1
            if fits and hidden.weights.shape[1] <= MAX_UNITS:
                return _fold(scaler, hidden, output)
    return None


def _fold(scaler: StandardScaler, hidden: Dense, output: Dense) -> ScalarNetwork:
    """Use sigmoid(z) = (1 + tanh(z / 2)) / 2, and absorb the scaler's mean and scale in b and w."""
    weights = hidden.weights.T / scaler.scale / 2.0
    biases = hidden.biases / 2.0 - weights @ scaler.mean
    half_outputs = output.weights[:, :1] / 2.0
    units = np.hstack([biases[:, np.newaxis], weights, half_outputs])
    constant = float(output.biases[0] + half_outputs.sum())
    return ScalarNetwork(constant, tuple(tuple(unit) for unit in units.tolist()))
