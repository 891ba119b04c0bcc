"""The array types: float64 wherever an answer is computed, float32 while a large network trains."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]

ComplexArray = NDArray[np.complexfloating[Any, Any]]
"""Places on the map."""

BoolArray = NDArray[np.bool_]

Indices = NDArray[np.intp]
"""Which rows, by their numbers."""
