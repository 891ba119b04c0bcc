"""One row as JSON: the eight features in, the prediction out.

The routes and the fast path share the parser and the response.
"""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from app.http.strict_json import parse_strict_json
from app.inference.row_errors import FieldError, describe_errors, invalid_json, not_an_object
from models.features import FEATURES, Column
from models.house_price import RowPrediction


class InvalidRowError(Exception):
    """A body is not one valid row."""

    def __init__(self, detail: str, errors: list[FieldError]) -> None:
        super().__init__(detail)
        self.detail = detail  # one sentence
        self.errors = errors  # each error, up to a limit


def _field(feature: Column) -> Any:
    return Field(
        gt=feature.minimum if feature.excludes_minimum else None,
        ge=None if feature.excludes_minimum else feature.minimum,
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

_validate_json = HouseFeatures.__pydantic_validator__.validate_json


def parse_row(body: bytes) -> list[float]:
    """Return the eight numbers of a JSON object, in the order and units of FEATURES.

    Raises InvalidRowError.
    """
    # A valid row has exactly eight colons. With eight, no feature is repeated unless another one
    # is missing, so pydantic-core, which accepts repeated keys, rejects every invalid row here.
    if body.count(b":") == len(FEATURES):
        try:
            return to_numbers(_validate_json(body))
        except ValidationError:
            pass  # parsed again below, for an error that says what is wrong
    return _parse_strictly(body)


def to_numbers(house: BaseModel) -> list[float]:
    """Return the eight numbers of HouseFeatures, in the order of FEATURES (and of its fields)."""
    return [*house.__dict__.values()]


def prediction_json(prediction: RowPrediction, level: float, model: str) -> dict[str, Any]:
    """Return the JSON object for one row, as in the schema `Prediction`; `model` is an identity."""
    return {
        "prediction": prediction.prediction,
        "interval": {"level": level, "lower": prediction.lower, "upper": prediction.upper},
        "warnings": prediction.warnings,
        "model": model,
    }


def _parse_strictly(body: bytes) -> list[float]:
    if not body:
        raise _invalid_body(not_an_object("The body", "but it is empty"), "missing")
    try:
        return to_numbers(HouseFeatures.model_validate(parse_strict_json(body)))
    except json.JSONDecodeError as error:
        raise _invalid_body(invalid_json("The body", error), "json_invalid") from error
    except ValidationError as error:
        raise InvalidRowError(*describe_errors(error.errors())) from error


def _invalid_body(sentence: str, kind: str) -> InvalidRowError:
    return InvalidRowError(sentence, [FieldError(["body"], sentence, kind)])
