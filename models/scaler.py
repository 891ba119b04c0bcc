"""Standardise each feature, as scikit-learn's StandardScaler does."""

from dataclasses import dataclass

from models.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class StandardScaler:
    """z = (x - mean) / scale for each feature."""

    mean: FloatArray  # (features,), the training rows' mean
    scale: FloatArray  # (features,), the training rows' standard deviation, above 0

    def __post_init__(self) -> None:
        if not (self.scale > 0).all():
            raise ValueError(f"every scale must be above 0, got {self.scale.min():g}")

    def transform(self, rows: FloatArray) -> FloatArray:
        """Convert rows (n, features) from their own units to standard deviations."""
        standardised = rows - self.mean
        standardised /= self.scale  # in place: allocating another array doubles the time
        return standardised
