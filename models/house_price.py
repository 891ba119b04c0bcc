"""The price model: rows of features in, median house values with intervals and warnings out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from models.arrays import FloatArray
from models.features import TARGET_UNIT
from models.interval import DEFAULT_LEVEL, Estimate, Interval, ResidualInterval
from models.neighbour_encoder import NeighbourEncoder
from models.network import Network
from models.scalar_network import ScalarNetwork, scalar_network
from models.shapley import Background, shapley_values
from models.training_ranges import TrainingRanges

WIDENING_START = 20.0  # km; 99.6 % of the block groups have another one nearer
WIDENING_END = 120.0  # km; from here on, the interval is the range of the training prices
CAP_TOLERANCE = 0.01  # 100,000 USD


class Encoder(Protocol):
    """Encodes rows as inputs of a network."""

    def transform(self, rows: FloatArray) -> FloatArray:
        """Encode rows (n, 8), in the order and units of FEATURES, as inputs (n, fan_in)."""


class RowPrediction(NamedTuple):
    """The prediction for one row and its interval, in 100,000 USD (1990), with warnings."""

    prediction: float
    lower: float
    upper: float
    warnings: list[str]  # one sentence for each reason to doubt the prediction


@dataclass(frozen=True, slots=True)
class HousePriceModel:
    """A trained recipe: everything that a prediction is computed from."""

    encoder: Encoder
    network: Network
    interval: Interval
    training_ranges: TrainingRanges
    background: Background
    _scalar_network: ScalarNetwork | None = field(init=False, repr=False)
    _half_widths: dict[float, float] = field(init=False, repr=False)  # by level, 100,000 USD

    def __post_init__(self) -> None:
        scalar, half_widths = None, {}
        if isinstance(self.interval, ResidualInterval):
            scalar = scalar_network(self.encoder, self.network.layers)
            levels = self.interval.levels.tolist()
            half_widths = {level: self.interval.half_width(level) for level in levels}
        object.__setattr__(self, "_scalar_network", scalar)
        object.__setattr__(self, "_half_widths", half_widths)

    def predict(self, rows: FloatArray) -> FloatArray:
        """Predict values (n,) in 100,000 USD for rows (n, 8), in the order of FEATURES."""
        return self.estimate(rows).predictions

    def estimate(self, rows: FloatArray, level: float = DEFAULT_LEVEL) -> Estimate:
        """Predict rows (n, 8) with intervals at a calibrated level.

        Raises ValueError at another level.
        """
        return self._estimate(rows, level)[0]

    def estimate_with_warnings(
        self, rows: FloatArray, level: float = DEFAULT_LEVEL
    ) -> tuple[Estimate, list[list[str]]]:
        """Predict rows (n, 8) as `estimate` does, with the warnings of each row.

        Raises ValueError at a level that is not calibrated.
        """
        estimate, kilometres = self._estimate(rows, level)
        ranges, predictions = self.training_ranges, estimate.predictions
        outside = (rows < ranges.feature_minimum) | (rows > ranges.feature_maximum)
        doubtful = outside.any(axis=1) | (kilometres > WIDENING_START)
        doubtful |= predictions >= ranges.target_maximum - CAP_TOLERANCE
        doubtful |= predictions < ranges.target_minimum
        warnings: list[list[str]] = [[] for _ in rows]
        for index in doubtful.nonzero()[0].tolist():
            warnings[index] = self._warnings(
                rows[index].tolist(), predictions[index], kilometres[index]
            )
        return estimate, warnings

    def predict_row(self, row: Sequence[float], level: float = DEFAULT_LEVEL) -> RowPrediction:
        """Predict one row of eight features, equal to `estimate_with_warnings` up to rounding.

        Raises ValueError at a level that is not calibrated.
        """
        if self._scalar_network is not None and level in self._half_widths:
            half_width = self._half_widths[level]
            prediction, kilometres = self._scalar_network.output(row), 0.0
            lower, upper = prediction - half_width, prediction + half_width
        else:
            estimate, distances = self._estimate(np.array([row]), level)
            prediction, lower, upper = (values.item() for values in estimate)
            kilometres = distances.item()
        return RowPrediction(prediction, lower, upper, self._warnings(row, prediction, kilometres))

    @property
    def is_batch_invariant(self) -> bool:
        """Whether `predict_rows` gives each row exactly the numbers of `predict_row`."""
        return self._scalar_network is None and self.network.rows_per_batch == 1

    def predict_rows(
        self, rows: Sequence[Sequence[float]], level: float = DEFAULT_LEVEL
    ) -> list[RowPrediction]:
        """Predict several rows as `predict_row` does, equal up to rounding, in less time.

        Raises ValueError at a level that is not calibrated.
        """
        if len(rows) == 1:
            return [self.predict_row(rows[0], level)]
        estimate, warnings = self.estimate_with_warnings(np.array(rows), level)
        predictions, lower, upper = (values.tolist() for values in estimate)
        return [*map(RowPrediction, predictions, lower, upper, warnings)]

    def explain(self, row: FloatArray) -> tuple[float, FloatArray]:
        """Return the baseline and each feature's contribution (8,) to the prediction of a row (8,).

        Exact Shapley values. The baseline is the mean prediction for the background; baseline and
        contributions add up to the prediction.
        """
        return shapley_values(self.predict, row, self.background.rows)

    def _estimate(self, rows: FloatArray, level: float) -> tuple[Estimate, FloatArray]:
        """Return the estimate, and the distance (n,) to the nearest training row, km.

        The distance is 0 for a model without neighbours.
        """
        inputs = self.encoder.transform(
            np.asfortranarray(rows)
        )  # column order takes a third of the time
        outputs = self.network.predict(inputs).astype(np.float64, copy=False)
        estimate = self.interval.estimate(outputs, level)
        if not isinstance(self.encoder, NeighbourEncoder):
            return estimate, np.zeros(len(rows))
        kilometres = self.encoder.nearest_kilometres(inputs)
        return self._widen(estimate, kilometres), kilometres

    def _widen(self, estimate: Estimate, kilometres: FloatArray) -> Estimate:
        """Widen the intervals of rows far from every training row.

        Hardly any training row is that far from the others, so the calibration does not cover it.
        """
        if kilometres.max(initial=0.0) <= WIDENING_START:
            return estimate
        share = np.clip((kilometres - WIDENING_START) / (WIDENING_END - WIDENING_START), 0.0, 1.0)
        ranges = self.training_ranges
        return estimate._replace(
            lower=(1.0 - share) * estimate.lower + share * ranges.target_minimum,
            upper=(1.0 - share) * estimate.upper + share * ranges.target_maximum,
        )

    def _warnings(self, row: Sequence[float], prediction: float, kilometres: float) -> list[str]:
        ranges = self.training_ranges
        sentences = [
            f"{feature.name} is outside its training range, "
            f"{low:.6g} to {high:.6g} ({feature.unit})."
            for number, (feature, low, high) in zip(row, ranges.by_feature, strict=True)
            if not low <= number <= high
        ]
        if kilometres > WIDENING_START:
            sentences.append(
                f"The nearest training row is {kilometres:.0f} km away; "
                "the interval is wider there."
            )
        if prediction >= ranges.target_maximum - CAP_TOLERANCE:
            sentences.append(
                f"The data end at {ranges.target_maximum * 100_000:,.0f} USD: "
                "read the prediction as that or more."
            )
        if prediction < ranges.target_minimum:
            sentences.append(
                f"The prediction is below all values seen in training, {ranges.target_minimum:.6g} "
                f"({TARGET_UNIT}) and up."
            )
        return sentences
