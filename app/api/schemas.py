"""Schemas of responses, and of a batch of columns, with their units."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from models.features import FEATURES, TARGET_UNIT

_columns: dict[str, Any] = {feature.name: (list[float], ...) for feature in FEATURES}

HouseColumns = create_model(
    "HouseColumns",
    __config__=ConfigDict(extra="forbid"),
    __doc__="The eight features of many census block groups: arrays of equal length.",
    **_columns,
)


class FiniteSchema(BaseModel):
    """A schema that accepts finite numbers only."""

    model_config = ConfigDict(allow_inf_nan=False)


class Interval(FiniteSchema):
    """A range that is expected to contain the true value."""

    level: float = Field(
        description="The share of true values that such intervals are calibrated to contain."
    )
    lower: float = Field(description=f"The lower bound, {TARGET_UNIT}.")
    upper: float = Field(description=f"The upper bound, {TARGET_UNIT}.")


class Prediction(FiniteSchema):
    """A predicted median house value, its interval, and warnings."""

    prediction: float = Field(description=f"The median house value, {TARGET_UNIT}.")
    interval: Interval
    warnings: list[str] = Field(description="One sentence for each reason to doubt the prediction.")
    model: str = Field(description="The name and version of the model that predicted.")


class RefusedRow(BaseModel):
    """The error in place of a rejected row of a batch."""

    error: str = Field(description="What was required and what was received, in one sentence.")


class RefusedColumn(RefusedRow):
    """The error of a rejected row of a batch of columns."""

    row: int = Field(description="Its index in the arrays, from 0.")


class PredictedColumns(FiniteSchema):
    """The predictions for a batch of columns, row for row; null for a rejected row."""

    prediction: list[float | None] = Field(description=f"Median house values, {TARGET_UNIT}.")
    lower: list[float | None] = Field(description=f"Lower bounds, {TARGET_UNIT}.")
    upper: list[float | None] = Field(description=f"Upper bounds, {TARGET_UNIT}.")
    model: str = Field(description="The name and version of the model that predicted.")
    errors: list[RefusedColumn] | None = Field(
        None, description="Present only if rows are rejected."
    )


class Explanation(FiniteSchema):
    """A prediction as a sum: baseline + the sum of the contributions = prediction."""

    prediction: float = Field(description=f"The median house value, {TARGET_UNIT}.")
    baseline: float = Field(
        description=f"The mean prediction for a few training rows, {TARGET_UNIT}."
    )
    contributions: dict[str, float] = Field(
        description=f"What each feature adds to the baseline, {TARGET_UNIT}."
    )
    model: str = Field(description="The name and version of the model that predicted.")


class ModelMetrics(FiniteSchema):
    """The errors of a model on the test part of the data."""

    mae: float = Field(description=f"Mean absolute error, {TARGET_UNIT}.")
    rmse: float = Field(description=f"Root mean squared error, {TARGET_UNIT}.")
    mse: float = Field(description=f"Mean squared error, the square of {TARGET_UNIT}.")
    r2: float = Field(description="The share of the variance that the model explains.")
    coverage: float = Field(description="The share of true values inside their interval.")
    mean_width: float = Field(description=f"The mean width of the intervals, {TARGET_UNIT}.")
    test_rows: int = Field(description="The number of rows in the test part.")
    unit: str = Field(TARGET_UNIT, description="The unit of the errors.")
    model: str = Field(description="The name and version of the model.")


class Metrics(ModelMetrics):
    """The errors of the default model, and of each model by name."""

    models: dict[str, ModelMetrics]


class FeatureRange(FiniteSchema):
    """A column of the data, and its range in the training rows."""

    name: str
    unit: str
    minimum: float
    maximum: float


class ModelDescription(FiniteSchema):
    """How a model was trained, and its errors."""

    name: str
    version: str = Field(description="The first 8 hex digits of the parameters' SHA-256.")
    default: bool = Field(description="Whether it is the default model.")
    recipe: str
    hyperparameters: dict[str, Any]
    seed: int
    features: list[FeatureRange] = Field(description="In order, with their training ranges.")
    target: FeatureRange
    interval_levels: list[float] = Field(description="The levels that `?level=` accepts.")
    metrics: ModelMetrics
    data: dict[str, Any] = Field(description="The data set, its rows and its SHA-256.")
    split: dict[str, Any] = Field(description="How the rows were split into parts.")
    fit_seconds: float = Field(description="The wall time of the fitting loop alone.")
    created: str = Field(description="When it was trained, ISO 8601, UTC.")
    versions: dict[str, str] = Field(
        description="The versions of Python and the libraries that trained it."
    )
    parameters_sha256: str


class ModelList(FiniteSchema):
    """Every loaded model."""

    models: list[ModelDescription]


class Health(BaseModel):
    """The result of a probe."""

    status: str
