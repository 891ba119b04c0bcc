"""Array types. Computations are in float64, except in a large network, which is in float32."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]

ComplexArray = NDArray[np.complexfloating[Any, Any]]
"""Places on the map: km east + km north j."""

BoolArray = NDArray[np.bool_]

Indices = NDArray[np.intp]
"""Row numbers."""
