"""A model's parts as JSON and arrays, and back.

A part is a dataclass: its fields that are arrays go into the parameters file, the others, its
settings, into model.json. What else must hold of a part, its own `__post_init__` checks.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from models.arrays import FloatArray
from models.ensemble import MemberDense, MemberMean, MemberScale
from models.interval import QuantileInterval, ResidualInterval
from models.layers import Dense, ReLU, Sigmoid, SiLU, Standardise
from models.neighbour_encoder import NeighbourEncoder
from models.saved_model.errors import SavedModelError, reason
from models.scaler import StandardScaler
from models.shapley import Background

PARTS = (
    StandardScaler,
    NeighbourEncoder,
    Dense,
    Sigmoid,
    ReLU,
    SiLU,
    Standardise,
    MemberScale,
    MemberDense,
    MemberMean,
    ResidualInterval,
    QuantileInterval,
    Background,
)

type_by_name: dict[str, Any] = {part.__name__: part for part in PARTS}

Description = Mapping[str, Any]
"""A part without its numbers: `{"type": "Dense", "shapes": {"weights": [8, 4], "biases": [4]}}`.

With `"dtype": "float32"` where they are in that precision and not in float64.
"""


def arrays_of(part: Any) -> dict[str, FloatArray]:
    """The arrays of a part, by field."""
    values = {field.name: getattr(part, field.name) for field in fields(part) if field.init}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def describe(part: Any) -> Description:
    """The type and settings of a part, and the shapes of its arrays."""
    arrays = arrays_of(part)
    settings = {
        field.name: getattr(part, field.name)
        for field in fields(part)
        if field.init and field.name not in arrays
    }
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    told = {"type": type(part).__name__, **settings, "shapes": shapes}
    if any(array.dtype == np.float32 for array in arrays.values()):
        told["dtype"] = "float32"
    return told


def build(description: Description, arrays: Mapping[str, FloatArray], prefix: str) -> Any:
    """The part of a description, with the arrays that are named `prefix.field`.

    Raises SavedModelError where the type is not known or a part does not take what it is given.
    """
    settings = dict(description)
    name, shapes, _ = settings.pop("type"), settings.pop("shapes"), settings.pop("dtype", None)
    if name not in type_by_name:
        raise SavedModelError(
            f"{prefix} must be one of {sorted(type_by_name)}, however: {name!r:.40}"
        )
    try:
        return type_by_name[name](
            **settings, **{field: arrays[f"{prefix}.{field}"] for field in shapes}
        )
    except (TypeError, ValueError) as error:
        raise SavedModelError(f"{prefix}: {reason(error)}") from error
