"""Where a trained model came from, and how well it predicts."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args, get_origin


class _TypeChecked:
    """A dataclass that requires each field to have its declared type, and floats to be finite."""

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]  # each subclass is a dataclass
            value = getattr(self, field.name)
            if not _has_type(value, field.type):
                raise TypeError(f"{field.name} must be {field.type}, got {value!r:.40}")


def _has_type(value: object, declared: Any) -> bool:
    if get_origin(declared) is Mapping:
        _, value_type = get_args(declared)
        return isinstance(value, Mapping) and (
            value_type is Any or all(_has_type(entry, value_type) for entry in value.values())
        )
    return type(value) is declared and (not isinstance(value, float) or math.isfinite(value))


@dataclass(frozen=True)
class DataSource(_TypeChecked):
    """The data set that a model was trained on."""

    name: str  # "embedded", "sklearn" or a file's name
    sha256: str  # of the data as read
    rows: int


@dataclass(frozen=True)
class Split(_TypeChecked):
    """How the rows were split into a training and a test part."""

    kind: str  # "random" or "blocked"
    seed: int
    train_rows: int
    test_rows: int


@dataclass(frozen=True)
class Metrics(_TypeChecked):
    """The errors on the test part, in 100,000 USD (1990)."""

    mae: float
    rmse: float
    mse: float  # (100,000 USD)^2
    r2: float  # the share of the variance explained
    coverage: float  # the share of true values inside their interval
    mean_width: float  # of the intervals
    test_rows: int


@dataclass(frozen=True)
class ModelCard(_TypeChecked):
    """How a model was trained, and its metrics."""

    recipe: str
    seed: int
    hyperparameters: Mapping[str, Any]
    data: DataSource
    split: Split
    metrics: Metrics
    fit_seconds: float  # the wall time of the fitting loop alone
    created: str  # ISO 8601, UTC
    versions: Mapping[str, str]  # of Python, NumPy and scikit-learn

    def to_json(self) -> dict[str, Any]:
        """Return the card as JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ModelCard":
        """Build the card from the output of `to_json`.

        Raises TypeError or KeyError if a field is missing, unknown or of another type.
        """
        return cls(
            **{
                **content,
                "data": DataSource(**content["data"]),
                "split": Split(**content["split"]),
                "metrics": Metrics(**content["metrics"]),
            }
        )
