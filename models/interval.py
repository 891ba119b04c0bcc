"""How sure a prediction is."""

from typing import NamedTuple

from models.arrays import FloatArray


class ConformalInterval(NamedTuple):
    """Prediction plus or minus a quantile of residuals: equally wide everywhere."""

    level: float  # the share of true values that the interval is to hold, 0 to 1
    half_width: float  # 100,000 USD

    def around(self, predictions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The lower and upper bounds (n,) for predictions (n,)."""
        return predictions - self.half_width, predictions + self.half_width
