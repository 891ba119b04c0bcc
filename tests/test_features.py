import math

import numpy as np
import pytest

from models.features import FEATURE_NAMES, FEATURES, within_bounds
from models.training_ranges import TrainingRanges


def test_the_features_are_in_the_order_of_the_data_set():
    assert FEATURE_NAMES == (
        "MedInc",
        "HouseAge",
        "AveRooms",
        "AveBedrms",
        "Population",
        "AveOccup",
        "Latitude",
        "Longitude",
    )


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_bounds_include_their_ends_except_an_excluded_minimum(feature):
    assert feature.allows(feature.maximum)
    assert not feature.allows(math.nextafter(feature.maximum, math.inf))
    assert feature.allows(feature.minimum) != feature.excludes_minimum
    assert feature.allows(math.nextafter(feature.minimum, math.inf))
    assert not feature.allows(math.nextafter(feature.minimum, -math.inf))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_bounds_allow_only_finite_numbers(number):
    assert not any(feature.allows(number) for feature in FEATURES)


def test_within_bounds_agrees_with_allows_for_each_number():
    ends = [end for feature in FEATURES for end in (feature.minimum, feature.maximum)]
    around = [math.nextafter(end, side) for end in ends for side in (-math.inf, end, math.inf)]
    rows = np.array([*around, math.nan, math.inf, -math.inf])[:, np.newaxis].repeat(8, axis=1)

    expected = [
        [feature.allows(number) for feature, number in zip(FEATURES, row, strict=True)]
        for row in rows.tolist()
    ]

    assert within_bounds(rows).tolist() == expected


def test_training_ranges_are_the_minimum_and_maximum_of_each_column():
    rows = np.array([[1.0, 5.0] * 4, [3.0, 4.0] * 4])

    ranges = TrainingRanges.from_rows(rows, np.array([7.0, 6.0]))

    assert ranges.feature_minimum.tolist() == [1.0, 4.0] * 4
    assert ranges.feature_maximum.tolist() == [3.0, 5.0] * 4
    assert (ranges.target_minimum, ranges.target_maximum) == (6.0, 7.0)
