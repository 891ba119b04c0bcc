"""A model's arrays as the bytes of one .npz file, and back, with every array checked."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.arrays import FloatArray
from models.errors import SavedModelError
from models.features import FEATURES
from models.layers import Dense, Layer, ReLU, Sigmoid, SiLU
from models.network import Network
from models.scaler import StandardScaler

ACTIVATIONS: Mapping[str, type[Layer]] = {"Sigmoid": Sigmoid, "ReLU": ReLU, "SiLU": SiLU}

Layout = Sequence[Mapping[str, Any]]
"""The layers without their numbers, as `[{"type": "Dense", "fan_in": 8, ...}, ...]`."""


def layout_of(network: Network) -> Layout:
    """The layers of a network without their numbers."""
    return [_describe(layer) for layer in network.layers]


def pack(scaler: StandardScaler, network: Network, half_width: float) -> bytes:
    """The .npz file; the same numbers give the same bytes."""
    arrays = {
        "scaler.mean": scaler.mean,
        "scaler.scale": scaler.scale,
        "interval.half_width": np.array(half_width),
    }
    for index, layer in enumerate(network.layers):
        for name, values in layer.parameters.items():
            arrays[f"network.{index}.{name}"] = values
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack(content: bytes, layout: Layout) -> tuple[StandardScaler, Network, float]:
    """What `pack` was given.

    Raises SavedModelError unless the file holds exactly the arrays that the layout asks for, each a
    finite float64 of the right shape, with scales above 0.
    """
    arrays = _read_npz(content)
    shapes = _expected_shapes(layout)
    if arrays.keys() != shapes.keys():
        raise SavedModelError(
            f"the parameters must be {sorted(shapes)}, however: {sorted(arrays)!s:.400}"
        )
    for name, shape in shapes.items():
        _check(name, arrays[name], shape)
    network = Network([_build(index, entry, arrays) for index, entry in enumerate(layout)])
    scaler = StandardScaler(arrays["scaler.mean"], arrays["scaler.scale"])
    return scaler, network, float(arrays["interval.half_width"])


def _describe(layer: Layer) -> Mapping[str, Any]:
    if isinstance(layer, Dense):
        fan_in, fan_out = layer.weights.shape
        return {"type": "Dense", "fan_in": fan_in, "fan_out": fan_out, "biases": len(layer.biases)}
    return {"type": type(layer).__name__}


def _build(index: int, entry: Mapping[str, Any], arrays: Mapping[str, FloatArray]) -> Layer:
    if entry["type"] == "Dense":
        return Dense(arrays[f"network.{index}.weights"], arrays[f"network.{index}.biases"])
    if entry["type"] in ACTIVATIONS:
        return ACTIVATIONS[entry["type"]]()
    raise SavedModelError(
        f"a layer must be Dense or one of {sorted(ACTIVATIONS)}, however: {entry['type']!r:.40}"
    )


def _expected_shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
    features = (len(FEATURES),)
    shapes: dict[str, tuple[int, ...]] = {
        "scaler.mean": features,
        "scaler.scale": features,
        "interval.half_width": (),
    }
    for index, entry in enumerate(layout):
        if entry["type"] == "Dense":
            shapes[f"network.{index}.weights"] = (entry["fan_in"], entry["fan_out"])
            shapes[f"network.{index}.biases"] = (entry["biases"],)
    return shapes


def _read_npz(content: bytes) -> dict[str, FloatArray]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return dict(archive)
    except Exception as error:  # np.load raises whatever its zip and header parsers happen to raise
        raise SavedModelError(
            f"the parameters must be an .npz file of plain arrays, however: {error}"
        ) from error


def _check(name: str, values: FloatArray, shape: tuple[int, ...]) -> None:
    if values.dtype != np.float64 or values.shape != shape:
        raise SavedModelError(
            f"{name} must be float64 {shape}, however: {values.dtype} {values.shape}"
        )
    if not np.isfinite(values).all():
        raise SavedModelError(f"{name} must be finite, however it holds NaN or infinity")
    if name == "scaler.scale" and not (values > 0).all():
        raise SavedModelError(f"{name} must be above 0, however: {values.min():g}")
    if name == "interval.half_width" and values < 0:
        raise SavedModelError(f"{name} must be 0 or above, however: {values:g}")
