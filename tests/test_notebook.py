import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from training.checkpoint import Checkpoints
from training.data import Dataset, load_dataset
from training.evaluate import evaluate
from training.fit.full_batch import fit
from training.optimizer import GradientDescent
from training.progress import Progress
from training.recipes import RECIPES
from training.recipes.notebook import LEARNING_RATE, STEPS, fit_scaler, initial_network
from training.split import split_dataset

NO_CHECKPOINTS = Checkpoints(Path("/nowhere"), "")
REFERENCE = json.loads((Path(__file__).parent / "notebook_reference.json").read_text())


@pytest.fixture(scope="module")
def parts():
    return split_dataset(load_dataset("embedded"), "random", 10)


@pytest.fixture(scope="module")
def trained(parts):
    return RECIPES["notebook"].train(parts[0], 10, Progress(quiet=True), NO_CHECKPOINTS)


def test_the_losses_are_the_ones_printed_in_the_notebook(parts):
    train, _ = parts

    losses = fit(
        initial_network(10),
        fit_scaler(train.rows).transform(train.rows),
        train.targets[:, np.newaxis],
        optimizer=GradientDescent(LEARNING_RATE),
        steps=STEPS,
    )
    printed = {str(step): f"{loss:.6f}" for step, loss in enumerate(losses)}

    assert len(printed) == REFERENCE["iterations"]
    assert len(REFERENCE["losses"]) == 38
    assert {step: printed[step] for step in REFERENCE["losses"]} == REFERENCE["losses"]


def test_the_test_metrics_are_the_ones_printed_in_the_notebook(parts, trained):
    metrics = evaluate(trained.model, parts[1].rows, parts[1].targets)

    for name, expected in REFERENCE["test"].items():
        assert_allclose(getattr(metrics, name), expected, rtol=1e-12)


def test_the_first_bias_is_one_number_shared_by_all_hidden_units(trained):
    hidden, _, output = trained.model.network.layers

    assert hidden.weights.shape == (8, 4)
    assert hidden.biases.shape == (1,)
    assert output.weights.shape == (4, 1)


def test_the_initial_weights_are_the_notebooks_and_numpys_global_generator_is_unchanged():
    np.random.seed(123)  # noqa: NPY002  # the global generator, to check that it is not used
    expected_next = np.random.RandomState(123).random_sample()
    weights = initial_network(10).layers[0].weights
    reference = np.random.RandomState(10).randn(8, 4)

    assert_array_equal(weights, reference)
    assert np.random.random_sample() == expected_next  # noqa: NPY002


def test_ninety_percent_intervals_cover_about_ninety_percent_of_the_test_part(parts, trained):
    metrics = evaluate(trained.model, parts[1].rows, parts[1].targets)

    assert 0.88 < metrics.coverage < 0.92
    assert metrics.mean_width == pytest.approx(2 * trained.model.interval.half_widths[2])


def test_test_rows_do_not_affect_the_model(parts):
    """Random values in the test part leave every number of the model unchanged."""
    dataset = load_dataset("embedded")
    train, test = split_dataset(dataset, "random", 3)
    test_rows = {row.tobytes() for row in test.rows}
    in_test = np.array([row.tobytes() in test_rows for row in dataset.rows])
    spoilt = Dataset(
        np.where(in_test[:, None], 1e6, dataset.rows),
        np.where(in_test, 1e6, dataset.targets),
        dataset.source,
    )

    models = [
        RECIPES["notebook"]
        .train(split_dataset(data, "random", 3)[0], 4, Progress(quiet=True), NO_CHECKPOINTS)
        .model
        for data in (dataset, spoilt)
    ]

    assert len(train.rows) == len(spoilt.rows) - in_test.sum()
    for one, other in zip(models[0].network.layers, models[1].network.layers, strict=True):
        for name, values in one.parameters.items():
            assert_array_equal(values, other.parameters[name])
    assert_array_equal(models[0].encoder.mean, models[1].encoder.mean)
    assert_array_equal(models[0].interval.half_widths, models[1].interval.half_widths)
