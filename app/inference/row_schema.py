"""One row as people send it: the eight features, with their units and bounds."""

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, create_model

from models.arrays import FloatArray
from models.features import FEATURES, Column


def _field(feature: Column) -> Any:
    return Field(
        gt=feature.minimum if feature.above_minimum else None,
        ge=None if feature.above_minimum else feature.minimum,
        le=feature.maximum,
        title=feature.name,
        description=f"{feature.description.capitalize()} ({feature.unit}).",
        json_schema_extra={"x-unit": feature.unit},
    )


_fields: dict[str, Any] = {feature.name: (float, _field(feature)) for feature in FEATURES}

HouseFeatures = create_model(
    "HouseFeatures",
    __config__=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False),
    __doc__="The eight features of one census block group.",
    **_fields,
)


def to_numbers(house: BaseModel) -> list[float]:
    """Return the eight numbers of HouseFeatures, in the order of FEATURES (and of its fields)."""
    return [*house.__dict__.values()]


def to_row(house: BaseModel) -> FloatArray:
    """Return HouseFeatures as a row (8,), in the order of FEATURES."""
    return np.array(to_numbers(house))
