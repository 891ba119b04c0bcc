"""Convert the components of a model to JSON and arrays, and back.

A component is a dataclass. Its array fields go into the parameters file, and its other fields, the
settings, into model.json. Each component validates itself in `__post_init__`.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from models.arrays import FloatArray
from models.ensemble import MemberDense, MemberMean, MemberScale
from models.interval import QuantileInterval, ResidualInterval
from models.layers import Dense, ReLU, Sigmoid, Standardise
from models.neighbour_encoder import NeighbourEncoder
from models.saved_model.errors import SavedModelError, reason
from models.scaler import StandardScaler
from models.shapley import Background

COMPONENTS = (
    StandardScaler,
    NeighbourEncoder,
    Dense,
    Sigmoid,
    ReLU,
    Standardise,
    MemberScale,
    MemberDense,
    MemberMean,
    ResidualInterval,
    QuantileInterval,
    Background,
)

type_by_name: dict[str, Any] = {component.__name__: component for component in COMPONENTS}

Description = Mapping[str, Any]
"""A component without its arrays, as `{"type": "Dense", "shapes": {"weights": [8, 4], ...}}`.

Arrays are float64 unless it has `"dtype": "float32"`.
"""


def component_arrays(component: Any) -> dict[str, FloatArray]:
    """Return the arrays of a component by field name."""
    values = {
        field.name: getattr(component, field.name) for field in fields(component) if field.init
    }
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def describe(component: Any) -> Description:
    """Describe a component: its type, its settings and the shapes of its arrays."""
    arrays = component_arrays(component)
    settings = {
        field.name: getattr(component, field.name)
        for field in fields(component)
        if field.init and field.name not in arrays
    }
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    description = {"type": type(component).__name__, **settings, "shapes": shapes}
    if any(array.dtype == np.float32 for array in arrays.values()):
        description["dtype"] = "float32"
    return description


def build(description: Description, arrays: Mapping[str, FloatArray], prefix: str) -> Any:
    """Build the described component from the arrays named `prefix.field`.

    Raises SavedModelError if the type is unknown, or if it rejects its settings or arrays.
    """
    settings = dict(description)
    name, shapes, _ = settings.pop("type"), settings.pop("shapes"), settings.pop("dtype", None)
    if name not in type_by_name:
        raise SavedModelError(f"{prefix} must be one of {sorted(type_by_name)}, got {name!r:.40}")
    try:
        return type_by_name[name](
            **settings, **{field: arrays[f"{prefix}.{field}"] for field in shapes}
        )
    except (TypeError, ValueError) as error:
        raise SavedModelError(f"{prefix}: {reason(error)}") from error
