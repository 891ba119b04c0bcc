"""What goes over the wire, with units and bounds."""

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
    """Finite numbers only, whatever happens."""

    model_config = ConfigDict(allow_inf_nan=False)


class Interval(FiniteSchema):
    """Where the true value is expected."""

    level: float = Field(
        description="The share of true values that such intervals are calibrated to hold."
    )
    lower: float = Field(description=f"The lower bound, {TARGET_UNIT}.")
    upper: float = Field(description=f"The upper bound, {TARGET_UNIT}.")


class Prediction(FiniteSchema):
    """A median house value, and how far to trust it."""

    prediction: float = Field(description=f"The median house value, {TARGET_UNIT}.")
    interval: Interval
    warnings: list[str] = Field(description="One sentence for each reason to doubt the prediction.")
    model: str = Field(description="The name and version of the model that answered.")


class RefusedRow(BaseModel):
    """What stands in the place of a row of a batch that is refused."""

    error: str = Field(description="What was required and what came, in one sentence.")


class RefusedColumn(RefusedRow):
    """Which row of a batch of columns is refused."""

    row: int = Field(description="Its place in the arrays, from 0.")


class PredictedColumns(FiniteSchema):
    """The answers to a batch of columns, row for row; null where a row is refused."""

    prediction: list[float | None] = Field(description=f"Median house values, {TARGET_UNIT}.")
    lower: list[float | None] = Field(description=f"Lower bounds, {TARGET_UNIT}.")
    upper: list[float | None] = Field(description=f"Upper bounds, {TARGET_UNIT}.")
    model: str = Field(description="The name and version of the model that answered.")
    errors: list[RefusedColumn] | None = Field(None, description="Only where rows are refused.")


class Explanation(FiniteSchema):
    """A prediction, taken apart: baseline + the sum of the contributions = prediction."""

    prediction: float = Field(description=f"The median house value, {TARGET_UNIT}.")
    baseline: float = Field(description=f"The mean prediction for the background, {TARGET_UNIT}.")
    contributions: dict[str, float] = Field(
        description=f"What each feature adds to the baseline, {TARGET_UNIT}."
    )
    model: str = Field(description="The name and version of the model that answered.")


class ModelMetrics(FiniteSchema):
    """The errors of a model on the test part of the data."""

    mae: float = Field(description=f"Mean absolute error, {TARGET_UNIT}.")
    rmse: float = Field(description=f"Root mean squared error, {TARGET_UNIT}.")
    mse: float = Field(description=f"Mean squared error, the square of {TARGET_UNIT}.")
    r2: float = Field(description="The share of the variance that is explained.")
    coverage: float = Field(description="The share of true values inside their interval.")
    mean_width: float = Field(description=f"The mean width of the intervals, {TARGET_UNIT}.")
    test_rows: int = Field(description="The number of rows in the test part.")
    unit: str = Field(TARGET_UNIT, description="The unit of the errors.")
    model: str = Field(description="The name and version of the model.")


class Metrics(ModelMetrics):
    """The errors of the default model, and of each model by name."""

    models: dict[str, ModelMetrics]


class FeatureRange(FiniteSchema):
    """A column of the data, and what the training rows held."""

    name: str
    unit: str
    minimum: float
    maximum: float


class ModelDescription(FiniteSchema):
    """How a model was made, and how well it does."""

    name: str
    version: str = Field(description="The first 8 hex digits of the parameters' SHA-256.")
    default: bool = Field(description="Whether it answers when no model is asked for.")
    recipe: str
    hyperparameters: dict[str, Any]
    seed: int
    features: list[FeatureRange] = Field(description="In order, with their training ranges.")
    target: FeatureRange
    interval_levels: list[float] = Field(description="The levels that `?level=` can ask for.")
    metrics: ModelMetrics
    data: dict[str, Any] = Field(description="The data set, its rows and its SHA-256.")
    split: dict[str, Any] = Field(description="How the rows were divided.")
    fit_seconds: float = Field(description="The wall time of the fitting loop alone.")
    created: str = Field(description="When it was trained, ISO 8601, UTC.")
    versions: dict[str, str] = Field(description="Of Python and of the libraries that trained it.")
    parameters_sha256: str


class ModelList(FiniteSchema):
    """Every model that is loaded."""

    models: list[ModelDescription]


class Health(BaseModel):
    """Whether the service lives, or is ready to answer."""

    status: str
