"""Where a trained model came from, and how good it is."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args, get_origin


class _Checked:
    """A dataclass whose fields are what they are declared to be, and whose numbers are finite."""

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]  # each subclass is a dataclass
            value = getattr(self, field.name)
            if not _is_a(value, field.type):
                raise TypeError(f"{field.name} must be {field.type}, however: {value!r:.40}")


def _is_a(value: object, declared: Any) -> bool:
    if get_origin(declared) is Mapping:
        _, of = get_args(declared)
        return isinstance(value, Mapping) and (
            of is Any or all(_is_a(v, of) for v in value.values())
        )
    return type(value) is declared and (not isinstance(value, float) or math.isfinite(value))


@dataclass(frozen=True)
class DataSource(_Checked):
    """The data set that a model was made of."""

    name: str  # "embedded", "sklearn" or a file's name
    sha256: str  # of the data as they were read
    rows: int


@dataclass(frozen=True)
class Split(_Checked):
    """How the rows were divided."""

    kind: str  # "random" or "blocked"
    seed: int
    train_rows: int
    test_rows: int


@dataclass(frozen=True)
class Metrics(_Checked):
    """The errors on the test part, in 100,000 USD (1990)."""

    mae: float
    rmse: float
    mse: float  # (100,000 USD)^2
    r2: float  # the share of the variance explained
    coverage: float  # the share of true values inside their interval
    mean_width: float  # of the intervals
    test_rows: int


@dataclass(frozen=True)
class ModelCard(_Checked):
    """How a model was made, and how well it does."""

    recipe: str
    seed: int
    hyperparameters: Mapping[str, Any]
    data: DataSource
    split: Split
    metrics: Metrics
    fit_seconds: float  # the wall time of the fitting loop alone
    created: str  # ISO 8601, UTC
    versions: Mapping[str, str]  # of Python and of the libraries that computed it

    def to_json(self) -> dict[str, Any]:
        """The card as JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ModelCard":
        """The card from what `to_json` gave.

        Raises TypeError or KeyError where a field is missing, unknown or not of its type.
        """
        return cls(
            **{
                **content,
                "data": DataSource(**content["data"]),
                "split": Split(**content["split"]),
                "metrics": Metrics(**content["metrics"]),
            }
        )
