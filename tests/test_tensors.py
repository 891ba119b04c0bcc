import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.testing import assert_array_equal
from pydantic_core import from_json

from app.api.v2 import inputs
from app.api.v2.inputs import NotANumberError, TensorError

datatypes = st.sampled_from([*inputs.DTYPES])


@st.composite
def typed_arrays(draw):
    """A datatype, and an array of it of any shape and any finite numbers."""
    datatype = draw(datatypes)
    dtype = inputs.DTYPES[datatype]
    shape = draw(npst.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
    options = {"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else {}
    return datatype, draw(npst.arrays(dtype, shape, elements=options))


@given(typed_arrays(), st.integers(0, 9))
def test_binary_tensors_of_any_shape_and_datatype_are_decoded(typed, offset):
    """At any offset in the body, also an unaligned one."""
    datatype, array = typed
    body = b"x" * offset + array.tobytes()

    read = inputs.decode_bytes(memoryview(body)[offset:], array.shape, datatype)

    assert read.dtype == np.float64
    assert_array_equal(read, array.astype(np.float64), strict=True)


@given(typed_arrays())
def test_json_tensors_of_any_shape_and_datatype_are_decoded(typed):
    datatype, array = typed
    flat = from_json(json.dumps(array.ravel().tolist()))
    nested = from_json(json.dumps(array.tolist()))

    expected = array.astype(np.float64)
    assert_array_equal(inputs.decode_json(flat, array.shape, datatype), expected, strict=True)
    if array.size:
        assert_array_equal(inputs.decode_json(nested, array.shape, datatype), expected, strict=True)


@given(st.lists(st.one_of(st.integers(), st.floats()), max_size=9))
def test_any_numbers_are_read_as_fp64(numbers):
    values = inputs.decode_json(numbers, [len(numbers)], "FP64")

    assert_array_equal(values, np.array([float(number) for number in numbers]))


@pytest.mark.parametrize(
    ("datatype", "number"),
    [("INT8", 128), ("INT8", -129), ("UINT8", -1), ("INT64", 2**63), ("UINT64", 10**400), ("INT32", 1.5), ("INT32", 1.0)],
)  # fmt: skip
def test_a_number_that_does_not_fit_an_integer_datatype_is_rejected(datatype, number):
    with pytest.raises(TensorError, match="must have whole numbers in its datatype's range"):
        inputs.decode_json([1, number], [2], datatype)


def test_a_number_too_large_for_its_float_datatype_is_infinity():
    assert inputs.decode_json([10**400, -(10**400), 1], [3], "FP64").tolist() == [math.inf, -math.inf, 1]  # fmt: skip
    assert inputs.decode_json([1e39, 1], [2], "FP32").tolist() == [math.inf, 1]


def test_a_signalling_nan_is_read_as_nan():
    (value,) = inputs.decode_bytes(memoryview(b"\x01\x00\xa0\x7f"), [1], "FP32")

    assert math.isnan(value)


def test_bytes_of_fp64_are_not_copied():
    body = np.arange(8.0).tobytes()

    read = inputs.decode_bytes(memoryview(body), [1, 8], "FP64")

    assert np.shares_memory(read, np.frombuffer(body, "u1"))


@pytest.mark.parametrize("value", [True, False, None, "8.3", "", [1], [], {}, {"a": 1}])
@pytest.mark.parametrize("position", [1, 5])
def test_the_position_of_a_value_that_is_not_a_number_is_found(value, position):
    data = [1.0, 2, 3, 4, 5, 6]
    data[position] = value

    with pytest.raises(NotANumberError) as error:
        inputs.decode_json(data, [2, 3], "FP64")

    assert error.value.index == position
    assert error.value.value is value


@pytest.mark.parametrize(
    "data",
    [
        [[1, 2], [3, 4], [5, 6]],
        [[1, 2, 3], [4, 5, 6, 7]],
        [[1, 2, 3], 4, 5, 6],
        [[1, 2, 3]],
        [[[1, 2, 3], [4, 5, 6]]],
        [[], []],
    ],
)
def test_data_nested_unlike_their_shape_are_rejected(data):
    with pytest.raises(TensorError, match="must be flat or nested as its shape says"):
        inputs.decode_json(data, [2, 3], "FP64")


@pytest.mark.parametrize("shape", [[2, 2], [7], [0], [2**31 - 1] * 8])
def test_another_number_of_values_than_the_shapes_is_rejected(shape):
    with pytest.raises(TensorError, match="must have as many numbers as its shape says"):
        inputs.decode_json([1, 2, 3, 4, 5, 6], shape, "INT8")
    with pytest.raises(TensorError, match="must have as many bytes as its shape and datatype say"):
        inputs.decode_bytes(memoryview(b"123456"), shape, "INT8")
