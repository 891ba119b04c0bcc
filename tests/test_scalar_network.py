from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.features import FEATURES
from models.layers import Dense, ReLU, Sigmoid
from models.scalar_network import MAX_UNITS, scalar_network
from models.scaler import StandardScaler


def network(rng, units, *, shared_bias=False):
    hidden = Dense(rng.normal(size=(8, units)), rng.normal(size=1 if shared_bias else units))
    return [hidden, Sigmoid(), Dense(rng.normal(size=(units, 1)), rng.normal(size=1))]


@pytest.fixture
def scaler(rng):
    return StandardScaler(rng.normal(size=8), rng.uniform(0.5, 2.0, size=8))


@pytest.mark.parametrize("shared_bias", [False, True])
@pytest.mark.parametrize("units", [1, 4, MAX_UNITS])
def test_a_scalar_network_has_the_networks_output(rng, scaler, units, shared_bias):
    layers = network(rng, units, shared_bias=shared_bias)
    rows = rng.normal(scale=3.0, size=(50, 8))

    scalar = scalar_network(scaler, layers)

    outputs = scaler.transform(rows)
    for layer in layers:
        outputs = layer.forward(outputs)
    assert_allclose([scalar.output(row) for row in rows.tolist()], outputs[:, 0], rtol=1e-12)


def test_other_networks_and_encoders_have_no_scalar_network(rng, scaler):
    hidden, sigmoid, output = network(rng, 4)
    two_outputs = Dense(np.ones((4, 2)), np.ones(2))

    assert scalar_network(scaler, network(rng, MAX_UNITS + 1)) is None
    assert scalar_network(scaler, [hidden, ReLU(), output]) is None
    assert scalar_network(scaler, [hidden, sigmoid, two_outputs]) is None
    assert scalar_network(scaler, [output]) is None
    assert scalar_network(object(), [hidden, sigmoid, output]) is None


def test_one_row_has_the_prediction_of_a_batch_up_to_rounding(saved, rng):
    """All over the physical bounds, with warnings and at each level."""
    lowest = np.array([feature.lowest for feature in FEATURES])
    highest = np.array([feature.maximum for feature in FEATURES])
    rows = np.vstack([saved.golden_rows, rng.uniform(lowest, highest, size=(200, 8))])

    for level in saved.model.interval.levels.tolist():
        estimate, warnings = saved.model.estimate_with_warnings(rows, level)
        alone = [saved.model.predict_row(row, level) for row in rows.tolist()]

        assert_allclose(
            [prediction[:3] for prediction in alone], np.transpose(estimate), atol=1e-12
        )
        assert [prediction.warnings for prediction in alone] == warnings


def test_a_level_that_is_not_calibrated_is_an_error_for_one_row_too(saved):
    with pytest.raises(ValueError, match=r"the level must be one of"):
        saved.model.predict_row(saved.golden_rows[0].tolist(), 0.85)


def test_a_changed_network_changes_the_prediction_of_one_row(saved, other_model):
    row = saved.golden_rows[0].tolist()

    changed = replace(saved.model, network=other_model.network)

    assert changed.predict_row(row).prediction == 2 * saved.model.predict_row(row).prediction
