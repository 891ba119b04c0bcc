"""Python numbers are converted to the array that NumPy would make of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.rows import to_floats


@given(st.lists(st.floats() | st.integers(min_value=-(2**1000), max_value=2**1000)))
def test_numbers_are_converted_to_the_last_bit_as_numpy_does(numbers):
    expected = np.array(numbers, dtype=np.float64)

    assert to_floats(numbers).tobytes() == expected.tobytes()


def test_true_is_converted_to_one():
    assert to_floats([True, False]).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("value", [None, "1", [], {}, 10**400])
def test_a_value_that_is_not_within_the_range_of_floats_is_rejected(value):
    with pytest.raises(ValueError, match=r"must be a number within the range of floats$"):
        to_floats([1.0, value])
