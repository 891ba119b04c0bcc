"""Pack the components of a model into the bytes of one .npz file; unpack and check them."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from models.arrays import FloatArray
from models.saved_model.components import Description, build, component_arrays
from models.saved_model.errors import SavedModelError

Components = Mapping[str, Any]
"""By name: `encoder`, `layers.0`, `layers.1`, ..., `interval`, `background`."""


def pack(components: Components) -> bytes:
    """Pack every array as `component.field`; equal arrays give equal bytes."""
    arrays = {
        f"{name}.{field}": np.ascontiguousarray(values)
        for name, component in components.items()
        for field, values in component_arrays(component).items()
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack(content: bytes, descriptions: Mapping[str, Description]) -> Components:
    """Unpack the described components, by name.

    Raises SavedModelError unless the file holds exactly the described arrays, each finite and of
    the described shape and dtype, and every component accepts its own.
    """
    arrays = _read_npz(content)
    expected = {
        f"{name}.{field}": (_dtype(description), tuple(shape))
        for name, description in descriptions.items()
        for field, shape in description["shapes"].items()
    }
    if arrays.keys() != expected.keys():
        raise SavedModelError(
            f"the parameters must be {sorted(expected)}, got {sorted(arrays)!s:.400}"
        )
    for name, (dtype, shape) in expected.items():
        _check(name, arrays[name], dtype, shape)
    return {name: build(entry, arrays, name) for name, entry in descriptions.items()}


def _read_npz(content: bytes) -> dict[str, FloatArray]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return dict(archive)
    except Exception as error:  # np.load documents no exceptions for damaged files
        raise SavedModelError(
            "the parameters must be an .npz file without pickled objects"
        ) from error


def _dtype(description: Description) -> str:
    dtype: str = description.get("dtype", "float64")
    if dtype not in {"float64", "float32"}:
        raise SavedModelError(f"a dtype must be float64 or float32, got {dtype!r:.40}")
    return dtype


def _check(name: str, values: FloatArray, dtype: str, shape: tuple[int, ...]) -> None:
    if values.dtype != dtype or values.shape != shape:
        raise SavedModelError(f"{name} must be {dtype} {shape}, got {values.dtype} {values.shape}")
    if not np.isfinite(values).all():
        raise SavedModelError(f"{name} must be finite, got NaN or infinity")
