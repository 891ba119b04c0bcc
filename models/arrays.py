"""The one array type: every number in a model is a float64."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
