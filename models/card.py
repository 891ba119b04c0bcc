"""Where a trained model came from, and how good it is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class DataSource:
    """The data set that a model was made of."""

    source: str  # "embedded", "sklearn" or a file's name
    sha256: str  # of the data as they were read
    rows: int


@dataclass(frozen=True, slots=True)
class Split:
    """How the rows were divided."""

    kind: str  # "random" or "blocked"
    seed: int
    train_rows: int
    test_rows: int


@dataclass(frozen=True, slots=True)
class Metrics:
    """The errors on the test part, in 100,000 USD (1990)."""

    mae: float
    rmse: float
    mse: float  # (100,000 USD)^2
    r2: float  # the share of the variance explained
    coverage: float  # the share of true values inside their interval
    mean_width: float  # of the intervals
    test_rows: int


@dataclass(frozen=True, slots=True)
class ModelCard:
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

        Raises TypeError or KeyError where a field is missing or unknown.
        """
        return cls(
            **{
                **content,
                "data": DataSource(**content["data"]),
                "split": Split(**content["split"]),
                "metrics": Metrics(**content["metrics"]),
            }
        )
