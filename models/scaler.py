"""Centre and scale each feature, as scikit-learn's StandardScaler does."""

from dataclasses import dataclass

from models.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class StandardScaler:
    """z = (x - mean) / scale, feature by feature."""

    mean: FloatArray  # (features,), the training rows' mean
    scale: FloatArray  # (features,), the training rows' standard deviation, above 0

    def __post_init__(self) -> None:
        if not (self.scale > 0).all():
            raise ValueError(f"every scale must be above 0, however: {self.scale.min():g}")

    def transform(self, rows: FloatArray) -> FloatArray:
        """Rows (n, features) in their own units to (n, features) in standard deviations."""
        standardised = rows - self.mean
        standardised /= self.scale  # in place: one more large array takes as long
        return standardised
