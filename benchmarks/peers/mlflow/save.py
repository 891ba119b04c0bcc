"""Save the notebook model as a pyfunc model of MLflow, in the given directory."""

import sys
from pathlib import Path

import mlflow
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

FLOAT64 = np.dtype(np.float64)

mlflow.pyfunc.save_model(
    sys.argv[1],
    python_model=Path(__file__).with_name("house_price.py"),
    signature=ModelSignature(
        Schema([TensorSpec(FLOAT64, (-1, 8))]), Schema([TensorSpec(FLOAT64, (-1,))])
    ),
    pip_requirements=[],  # it is served in this environment, which is complete
)
