"""Decode the input tensors of a V2 request, JSON or bytes, into validated rows."""

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any, Never

import numpy as np
from fastapi import HTTPException

from app.api.v2.schemas import InputTensor
from app.inference.row_errors import RowError, invalid_number, json_type_name
from app.inference.rows import MAX_ROWS, check_bounds, find_out_of_bounds
from app.observability.metrics import count_rejected
from models.arrays import FloatArray
from models.features import FEATURE_NAMES

ALL_FEATURES = ("features", "input-1")  # MLServer's NumpyRequestCodec always sends the second name
ROW_BYTES = 8 * len(FEATURE_NAMES)

DTYPES: dict[str, np.dtype[Any]] = {
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
"""NumPy's dtype of each V2 datatype; V2 is little-endian."""


class TensorError(Exception):
    """A tensor contradicts its shape or datatype; the message says what is required."""


class NotANumberError(Exception):
    """A JSON value in a tensor is not a number."""

    def __init__(self, index: int, value: object) -> None:
        super().__init__(index)
        self.index = index  # in row-major order, from 0
        self.value = value


def read_inputs(inputs: Sequence[InputTensor], buffers: memoryview) -> FloatArray:
    """Return rows (n, 8), within their bounds, of one input or of an input for each feature.

    The buffers of binary inputs follow each other in the order of the inputs.

    Raises HTTPException: 400, or 413 when there are too many rows.
    """
    _require_shapes(inputs)
    columns = []
    for tensor in inputs:
        size = _buffer_size(tensor)
        if size > len(buffers):
            _raise_bad_request("The bytes after the JSON must be those of the inputs, got fewer.")
        columns.append(_read_tensor(tensor, buffers[:size]))
        buffers = buffers[size:]
    if buffers:
        _raise_bad_request("The bytes after the JSON must be those of the inputs, got more.")
    if len(columns) == 1:
        return _validate(columns[0])
    by_name = {tensor.name: column for tensor, column in zip(inputs, columns, strict=True)}
    return _validate(np.column_stack([by_name[name] for name in FEATURE_NAMES]))


def read_raw_rows(buffer: memoryview) -> FloatArray:
    """Return rows (n, 8), within their bounds, of a buffer of FP64 without JSON.

    Raises HTTPException: 400, or 413 when there are too many rows.
    """
    count, rest = divmod(len(buffer), ROW_BYTES)
    if rest:
        _raise_bad_request(
            f"A body without JSON must be rows of {ROW_BYTES} bytes, got {len(buffer):,} bytes."
        )
    return _validate(decode_bytes(buffer, (count, len(FEATURE_NAMES)), "FP64"))


def decode_json(data: list[Any], shape: Sequence[int], datatype: str) -> FloatArray:
    """Return parsed JSON numbers, flat or nested as the shape says, as FP64.

    Numbers of a narrower float datatype are rounded to it; one too large for it becomes infinity.

    Raises TensorError, or NotANumberError for a boolean, a string, null, an array or an object.
    """
    numbers = _flatten(data, shape)
    if len(numbers) != math.prod(shape):
        raise TensorError("must have as many numbers as its shape says")
    if not {*map(type, numbers)} <= {int, float}:
        index = next(i for i, value in enumerate(numbers) if type(value) not in (int, float))
        raise NotANumberError(index, numbers[index])
    dtype = DTYPES[datatype]
    values = _to_floats(numbers, dtype) if dtype.kind == "f" else _to_integers(numbers, dtype)
    return values.reshape(shape)


def decode_bytes(buffer: memoryview, shape: Sequence[int], datatype: str) -> FloatArray:
    """Return the numbers of a buffer as FP64, without a copy if that is their datatype.

    Raises TensorError.
    """
    dtype = DTYPES[datatype]
    if len(buffer) != math.prod(shape) * dtype.itemsize:
        raise TensorError("must have as many bytes as its shape and datatype say")
    with np.errstate(invalid="ignore"):  # a signalling NaN; validation rejects it
        values: FloatArray = np.frombuffer(buffer, dtype).astype(np.float64, copy=False)
    return values.reshape(shape)


def _require_shapes(inputs: Sequence[InputTensor]) -> None:
    names = [tensor.name for tensor in inputs]
    if len(names) == 1 and names[0] in ALL_FEATURES:
        if inputs[0].shape[1:] != [len(FEATURE_NAMES)]:
            _raise_bad_request(f"The shape must be [N, {len(FEATURE_NAMES)}], got another shape.")
    elif sorted(names) == sorted(FEATURE_NAMES):
        count = inputs[0].shape[:1] or [1]
        if any(tensor.shape not in (count, [*count, 1]) for tensor in inputs):
            _raise_bad_request(
                "Each shape must be [N] or [N, 1] with the same N, got another shape."
            )
    else:
        _raise_bad_request(
            f"The inputs must be one named features, or {', '.join(FEATURE_NAMES)}; "
            "got other names."
        )


def _buffer_size(tensor: InputTensor) -> int:
    """Return the bytes of a tensor's buffer, 0 if its numbers are in the JSON."""
    size = tensor.parameters and tensor.parameters.binary_data_size
    if (size is None) == (tensor.data is None):
        received = "neither" if size is None else "both"
        _raise_bad_request(
            f"{tensor.name} must have either data or binary_data_size, got {received}."
        )
    return size or 0


def _read_tensor(tensor: InputTensor, buffer: memoryview) -> FloatArray:
    try:
        if tensor.data is None:
            return decode_bytes(buffer, tensor.shape, tensor.datatype)
        return decode_json(tensor.data, tensor.shape, tensor.datatype)
    except TensorError as error:
        _raise_bad_request(f"{tensor.name} {error}.")
    except NotANumberError as error:
        row, feature = error.index, tensor.name
        if feature in ALL_FEATURES:
            row, column = divmod(error.index, len(FEATURE_NAMES))
            feature = FEATURE_NAMES[column]
        _reject_row(row, invalid_number(feature, json_type_name(error.value)))


def _flatten(data: list[Any], shape: Sequence[int]) -> list[Any]:
    if not data or type(data[0]) is not list:
        return data
    items = [data]
    for length in shape:
        if {*map(type, items)} != {list} or {*map(len, items)} != {length}:
            raise TensorError("must be flat or nested as its shape says")
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
    except OverflowError:  # an integer of hundreds of digits
        return math.inf if number > 0 else -math.inf


def _to_integers(numbers: list[Any], dtype: np.dtype[Any]) -> FloatArray:
    message = "must have whole numbers in its datatype's range, got another number"
    if float in {*map(type, numbers)}:
        raise TensorError(message)
    try:
        return np.array(numbers, dtype=dtype).astype(np.float64)
    except OverflowError as error:
        raise TensorError(message) from error


def _validate(rows: FloatArray) -> FloatArray:
    """Return rows (n, 8) if there are not too many and all numbers are within their bounds."""
    if len(rows) > MAX_ROWS:
        raise HTTPException(
            413, f"The request must have at most {MAX_ROWS:,} rows, got {len(rows):,}."
        )
    rows = np.asfortranarray(rows)  # the copy pays: all further work is by columns
    rejected = find_out_of_bounds(rows)
    if rejected:
        _reject_row(rejected[0], check_bounds(rows[rejected[:1]]).errors[0])
    return rows


def _reject_row(index: int, error: RowError) -> Never:
    count_rejected(error.type)
    _raise_bad_request(f"Row {index}: {error}")


def _raise_bad_request(detail: str) -> Never:
    raise HTTPException(400, detail)
