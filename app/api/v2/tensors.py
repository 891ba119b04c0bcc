"""Tensors of numbers, as JSON and as bytes."""

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from models.arrays import FloatArray

dtype_by_datatype: dict[str, np.dtype[Any]] = {
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
}
"""The protocol's names, in its order of bytes."""


class TensorError(Exception):
    """A tensor is not what it says that it is; tells what it must be, and what it is."""


class NotANumberError(Exception):
    """Something else stands where a number must."""

    def __init__(self, position: int, value: object) -> None:
        super().__init__(position)
        self.position = position  # in row-major order, from 0
        self.value = value


def from_json(data: list[Any], shape: Sequence[int], datatype: str) -> FloatArray:
    """The numbers of parsed JSON, flat or nested as the shape says, as FP64.

    Those of a narrower datatype are rounded to it; what is too large for it is infinity.

    Raises TensorError, or NotANumberError for a boolean, a string, null, an array or an object.
    """
    numbers = _flatten(data, shape)
    if len(numbers) != math.prod(shape):
        raise TensorError("must have as many numbers as its shape says, however it has not")
    if not {*map(type, numbers)} <= {int, float}:
        position = next(i for i, value in enumerate(numbers) if type(value) not in (int, float))
        raise NotANumberError(position, numbers[position])
    dtype = dtype_by_datatype[datatype]
    values = _to_floats(numbers, dtype) if dtype.kind == "f" else _to_whole(numbers, dtype)
    return values.reshape(shape)


def from_bytes(buffer: memoryview, shape: Sequence[int], datatype: str) -> FloatArray:
    """The numbers of a buffer as FP64; where that is their datatype, without copying them.

    Raises TensorError.
    """
    dtype = dtype_by_datatype[datatype]
    if len(buffer) != math.prod(shape) * dtype.itemsize:
        raise TensorError(
            "must have as many bytes as its shape and datatype say, however it has not"
        )
    with np.errstate(invalid="ignore"):  # of NaN, which is for the rows' bounds to refuse
        values: FloatArray = np.frombuffer(buffer, dtype).astype(np.float64, copy=False)
    return values.reshape(shape)


def _flatten(data: list[Any], shape: Sequence[int]) -> list[Any]:
    if not data or type(data[0]) is not list:
        return data
    items = [data]
    for length in shape:
        if {*map(type, items)} != {list} or {*map(len, items)} != {length}:
            raise TensorError("must be flat or nested as its shape says, however it is not")
        items = [*chain.from_iterable(items)]
    return items


def _to_floats(numbers: list[Any], dtype: np.dtype[Any]) -> FloatArray:
    try:
        values = np.array(numbers, dtype=np.float64)
    except OverflowError:
        values = np.array([_to_float(number) for number in numbers])
    with np.errstate(over="ignore"):
        rounded: FloatArray = values.astype(dtype, copy=False).astype(np.float64, copy=False)
    return rounded


def _to_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # a whole number of hundreds of digits
        return math.inf if number > 0 else -math.inf


def _to_whole(numbers: list[Any], dtype: np.dtype[Any]) -> FloatArray:
    refusal = "must have whole numbers in its datatype's range, however another one came"
    if float in {*map(type, numbers)}:
        raise TensorError(refusal)
    try:
        return np.array(numbers, dtype=dtype).astype(np.float64)
    except OverflowError as error:
        raise TensorError(refusal) from error
