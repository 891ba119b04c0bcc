"""The price model: a row of features in, a median house value and its interval out."""

from dataclasses import dataclass
from typing import NamedTuple

from models.arrays import FloatArray
from models.features import TARGET_UNIT
from models.interval import ConformalInterval
from models.network import Network
from models.scaler import StandardScaler
from models.training_ranges import TrainingRanges


class Estimate(NamedTuple):
    """Median house values and their interval, in 100,000 USD (1990)."""

    predictions: FloatArray  # (n,)
    lower: FloatArray  # (n,)
    upper: FloatArray  # (n,)


@dataclass(frozen=True, slots=True)
class HousePriceModel:
    """A trained recipe: all that an answer is computed from."""

    scaler: StandardScaler
    network: Network
    interval: ConformalInterval
    training_ranges: TrainingRanges

    def predict(self, rows: FloatArray) -> FloatArray:
        """Median house values (n,) in 100,000 USD for rows (n, 8) in the order of FEATURES."""
        return self.network.predict(self.scaler.transform(rows)).ravel()

    def estimate(self, rows: FloatArray) -> Estimate:
        """The predictions for rows (n, 8) with their intervals."""
        predictions = self.predict(rows)
        return Estimate(predictions, *self.interval.around(predictions))

    def warnings(self, row: FloatArray, prediction: float) -> list[str]:
        """One sentence for each reason to doubt the prediction for a row (8,)."""
        ranges = self.training_ranges
        sentences = [
            f"{feature.name} is outside its training range, "
            f"{low:.6g} to {high:.6g} ({feature.unit})."
            for number, (feature, low, high) in zip(row.tolist(), ranges.by_feature(), strict=True)
            if not low <= number <= high
        ]
        if not ranges.target_minimum <= prediction <= ranges.target_maximum:
            sentences.append(
                "The prediction is outside the values seen in training, "
                f"{ranges.target_minimum:.6g} to {ranges.target_maximum:.6g} ({TARGET_UNIT})."
            )
        return sentences
