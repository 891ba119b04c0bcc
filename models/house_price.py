"""The price model: a row of features in, a median house value and its interval out."""

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

FAR_AWAY = 20.0  # km; all but four in a thousand block groups have another one nearer
NO_NEIGHBOURS = 120.0  # km; from here on, an interval holds all values seen in training
AT_THE_CAP = 0.01  # 100,000 USD


class Encoder(Protocol):
    """What makes a network's inputs of rows."""

    def transform(self, rows: FloatArray) -> FloatArray:
        """Rows (n, 8) in the order and units of FEATURES to inputs (n, fan_in)."""


class RowAnswer(NamedTuple):
    """What is known of one row, in 100,000 USD (1990), and a sentence a reason to doubt it."""

    prediction: float
    lower: float
    upper: float
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class HousePriceModel:
    """A trained recipe: all that an answer is computed from."""

    encoder: Encoder
    network: Network
    interval: Interval
    training_ranges: TrainingRanges
    background: Background
    _plain_row: ScalarNetwork | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        plain = scalar_network(self.encoder, self.network.layers)
        object.__setattr__(
            self, "_plain_row", plain if isinstance(self.interval, ResidualInterval) else None
        )

    def predict(self, rows: FloatArray) -> FloatArray:
        """Median house values (n,) in 100,000 USD for rows (n, 8) in the order of FEATURES."""
        return self.estimate(rows).predictions

    def estimate(self, rows: FloatArray, level: float = DEFAULT_LEVEL) -> Estimate:
        """The predictions for rows (n, 8), and the interval at a level that was calibrated.

        Raises ValueError at another level.
        """
        return self._estimate(rows, level)[0]

    def answer(
        self, rows: FloatArray, level: float = DEFAULT_LEVEL
    ) -> tuple[Estimate, list[list[str]]]:
        """The estimate for rows (n, 8), and for each row a sentence a reason to doubt it.

        Raises ValueError at a level that was not calibrated.
        """
        estimate, kilometres = self._estimate(rows, level)
        ranges, predictions = self.training_ranges, estimate.predictions
        outside = (rows < ranges.feature_minimum) | (rows > ranges.feature_maximum)
        doubtful = outside.any(axis=1) | (kilometres > FAR_AWAY)
        doubtful |= predictions >= ranges.target_maximum - AT_THE_CAP
        doubtful |= predictions < ranges.target_minimum
        warnings: list[list[str]] = [[] for _ in rows]
        for index in doubtful.nonzero()[0].tolist():
            warnings[index] = self._warnings(
                rows[index].tolist(), predictions[index], kilometres[index]
            )
        return estimate, warnings

    def answer_row(self, row: Sequence[float], level: float = DEFAULT_LEVEL) -> RowAnswer:
        """What `answer` gives for one row of the eight features, to rounding, in less time.

        Raises ValueError at a level that was not calibrated.
        """
        if self._plain_row is not None and isinstance(self.interval, ResidualInterval):
            half_width = self.interval.half_width(level)
            prediction, kilometres = self._plain_row.output(row), 0.0
            lower, upper = prediction - half_width, prediction + half_width
        else:
            estimate, distances = self._estimate(np.array([row]), level)
            prediction, lower, upper = (values.item() for values in estimate)
            kilometres = distances.item()
        return RowAnswer(prediction, lower, upper, self._warnings(row, prediction, kilometres))

    @property
    def is_batch_invariant(self) -> bool:
        """Whether `answer_rows` gives each row the bits that `answer_row` gives it."""
        return self._plain_row is None and self.network.rows_to_a_batch == 1

    def answer_rows(
        self, rows: Sequence[Sequence[float]], level: float = DEFAULT_LEVEL
    ) -> list[RowAnswer]:
        """What `answer_row` gives for each of some rows, to rounding, in less time.

        Raises ValueError at a level that was not calibrated.
        """
        if len(rows) == 1:
            return [self.answer_row(rows[0], level)]
        estimate, warnings = self.answer(np.array(rows), level)
        predictions, lower, upper = (values.tolist() for values in estimate)
        return [*map(RowAnswer, predictions, lower, upper, warnings)]

    def _estimate(self, rows: FloatArray, level: float) -> tuple[Estimate, FloatArray]:
        """The estimate, and how far the nearest training row is; 0 where the model asks none."""
        inputs = self.encoder.transform(np.asfortranarray(rows))  # a third of the time by columns
        outputs = self.network.predict(inputs).astype(np.float64, copy=False)
        estimate = self.interval.estimate(outputs, level)
        if not isinstance(self.encoder, NeighbourEncoder):
            return estimate, np.zeros(len(rows))
        kilometres = self.encoder.nearest_kilometres(inputs)
        return self._widen(estimate, kilometres), kilometres

    def _widen(self, estimate: Estimate, kilometres: FloatArray) -> Estimate:
        """Out to all values seen in training, the further a row is from every training row.

        No calibration reaches there: hardly any row is so far from the others.
        """
        if kilometres.max(initial=0.0) <= FAR_AWAY:
            return estimate
        share = np.clip((kilometres - FAR_AWAY) / (NO_NEIGHBOURS - FAR_AWAY), 0.0, 1.0)
        ranges = self.training_ranges
        return estimate._replace(
            lower=(1.0 - share) * estimate.lower + share * ranges.target_minimum,
            upper=(1.0 - share) * estimate.upper + share * ranges.target_maximum,
        )

    def explain(self, row: FloatArray) -> tuple[float, FloatArray]:
        """The mean prediction for the background, and each feature's contribution (8,) to a row's.

        Exact Shapley values; the baseline and the contributions add up to the prediction.
        """
        return shapley_values(self.predict, row, self.background.rows)

    def _warnings(self, row: Sequence[float], prediction: float, kilometres: float) -> list[str]:
        ranges = self.training_ranges
        sentences = [
            f"{feature.name} is outside its training range, "
            f"{low:.6g} to {high:.6g} ({feature.unit})."
            for number, (feature, low, high) in zip(row, ranges.by_feature, strict=True)
            if not low <= number <= high
        ]
        if kilometres > FAR_AWAY:
            sentences.append(
                f"The nearest training row is {kilometres:.0f} km away; "
                "the interval is wider there."
            )
        if prediction >= ranges.target_maximum - AT_THE_CAP:
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
