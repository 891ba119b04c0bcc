"""The parts of a model as the bytes of one .npz file, and back, with every array checked."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from models.arrays import FloatArray
from models.saved_model.components import Description, arrays_of, build
from models.saved_model.errors import SavedModelError

Parts = Mapping[str, Any]
"""A model's parts by name: `encoder`, `layers.0`, `layers.1`, ..., `interval`."""


def pack(parts: Parts) -> bytes:
    """The .npz file with every array as `part.field`; the same numbers give the same bytes."""
    arrays = {
        f"{name}.{field}": np.ascontiguousarray(values)
        for name, part in parts.items()
        for field, values in arrays_of(part).items()
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack(content: bytes, descriptions: Mapping[str, Description]) -> Parts:
    """The parts of these descriptions, by name.

    Raises SavedModelError unless the file holds exactly the arrays that the descriptions ask for,
    each of the right shape and type and finite, and every part takes its own.
    """
    arrays = _read_npz(content)
    expected = {
        f"{name}.{field}": (_dtype(description), tuple(shape))
        for name, description in descriptions.items()
        for field, shape in description["shapes"].items()
    }
    if arrays.keys() != expected.keys():
        raise SavedModelError(
            f"the parameters must be {sorted(expected)}, however: {sorted(arrays)!s:.400}"
        )
    for name, (dtype, shape) in expected.items():
        _check(name, arrays[name], dtype, shape)
    return {name: build(entry, arrays, name) for name, entry in descriptions.items()}


def _read_npz(content: bytes) -> dict[str, FloatArray]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return dict(archive)
    except Exception as error:  # np.load raises whatever its zip and header parsers happen to raise
        raise SavedModelError(
            "the parameters must be an .npz file of plain arrays, however they are not"
        ) from error


def _dtype(description: Description) -> str:
    dtype: str = description.get("dtype", "float64")
    if dtype not in {"float64", "float32"}:
        raise SavedModelError(f"a dtype must be float64 or float32, however: {dtype!r:.40}")
    return dtype


def _check(name: str, values: FloatArray, dtype: str, shape: tuple[int, ...]) -> None:
    if values.dtype != dtype or values.shape != shape:
        raise SavedModelError(
            f"{name} must be {dtype} {shape}, however: {values.dtype} {values.shape}"
        )
    if not np.isfinite(values).all():
        raise SavedModelError(f"{name} must be finite, however it holds NaN or infinity")
