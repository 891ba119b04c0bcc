"""From the inputs of a request to rows: one input with all features, or one for each."""

from collections.abc import Sequence
from typing import Never

import numpy as np
from fastapi import HTTPException

from app.api.v2 import tensors
from app.api.v2.schemas import InputTensor
from app.http.problems import raise_bad_request
from app.inference.row_errors import RowError, invalid_number, json_type_name
from app.inference.rows import MAX_ROWS, check_bounds, find_out_of_bounds
from app.observability.metrics import count_rejected
from models.arrays import FloatArray
from models.features import FEATURE_NAMES

ALL_FEATURES = ("features", "input-1")  # MLServer's NumpyRequestCodec knows no name but the second
ROW_BYTES = 8 * len(FEATURE_NAMES)


def read_rows(inputs: Sequence[InputTensor], buffers: memoryview) -> FloatArray:
    """Rows (n, 8), within their bounds, of inputs whose buffers stand in the same order.

    Raises HTTPException: a 400, or a 413 where there are too many rows.
    """
    _require_shapes(inputs)
    values = []
    for tensor in inputs:
        size = _size_of_buffer(tensor)
        if size > len(buffers):
            raise_bad_request(
                "The bytes behind the JSON must be those of the inputs, however some are missing."
            )
        values.append(_read_tensor(tensor, buffers[:size]))
        buffers = buffers[size:]
    if buffers:
        raise_bad_request(
            "The bytes behind the JSON must be those of the inputs, however there are more."
        )
    if len(values) == 1:
        return _require_answerable(values[0])
    by_name = {tensor.name: column for tensor, column in zip(inputs, values, strict=True)}
    return _require_answerable(np.column_stack([by_name[name] for name in FEATURE_NAMES]))


def read_raw_rows(buffer: memoryview) -> FloatArray:
    """Rows (n, 8), within their bounds, of a buffer of FP64 and nothing else.

    Raises HTTPException: a 400, or a 413 where there are too many rows.
    """
    count, rest = divmod(len(buffer), ROW_BYTES)
    if rest:
        raise_bad_request(
            f"A body without JSON must be rows of {ROW_BYTES} bytes, however it is not."
        )
    return _require_answerable(tensors.from_bytes(buffer, (count, len(FEATURE_NAMES)), "FP64"))


def _require_shapes(inputs: Sequence[InputTensor]) -> None:
    names = [tensor.name for tensor in inputs]
    if len(names) == 1 and names[0] in ALL_FEATURES:
        if inputs[0].shape[1:] != [len(FEATURE_NAMES)]:
            raise_bad_request(f"The shape must be [N, {len(FEATURE_NAMES)}], however it is not.")
    elif sorted(names) == sorted(FEATURE_NAMES):
        count = inputs[0].shape[:1] or [1]
        if any(tensor.shape not in (count, [*count, 1]) for tensor in inputs):
            raise_bad_request(
                "Each shape must be [N] or [N, 1] with the same N, however one is not."
            )
    else:
        raise_bad_request(
            f"The inputs must be one named features, or {', '.join(FEATURE_NAMES)}, "
            "however others came."
        )


def _size_of_buffer(tensor: InputTensor) -> int:
    """In bytes; 0 where the numbers stand in the JSON."""
    size = tensor.parameters and tensor.parameters.binary_data_size
    if (size is None) == (tensor.data is None):
        came = "it has neither" if size is None else "it has both"
        raise_bad_request(
            f"{tensor.name} must have either data or binary_data_size, however {came}."
        )
    return size or 0


def _read_tensor(tensor: InputTensor, buffer: memoryview) -> FloatArray:
    try:
        if tensor.data is None:
            return tensors.from_bytes(buffer, tensor.shape, tensor.datatype)
        return tensors.from_json(tensor.data, tensor.shape, tensor.datatype)
    except tensors.TensorError as error:
        raise_bad_request(f"{tensor.name} {error}.")
    except tensors.NotANumberError as error:
        row, feature = error.position, tensor.name
        if feature in ALL_FEATURES:
            row, column = divmod(error.position, len(FEATURE_NAMES))
            feature = FEATURE_NAMES[column]
        _refuse_row(row, invalid_number(feature, json_type_name(error.value)))


def _require_answerable(rows: FloatArray) -> FloatArray:
    """The rows (n, 8), if they are not too many and all numbers are within their bounds."""
    if len(rows) > MAX_ROWS:
        raise HTTPException(
            413, f"The request must have at most {MAX_ROWS:,} rows, however it has more."
        )
    rows = np.asfortranarray(rows)  # a copy that pays: all that follows goes along the columns
    outside = find_out_of_bounds(rows)
    if outside:
        _refuse_row(outside[0], check_bounds(rows[outside[:1]]).errors[0])
    return rows


def _refuse_row(row: int, refusal: RowError) -> Never:
    count_rejected(refusal.type)
    raise_bad_request(f"Row {row}: {refusal}")
