import json
import signal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from models import SAVED_MODELS
from models.interval import DEFAULT_LEVEL
from models.neighbour_encoder import project
from models.saved_model.storage import load_model
from tests.support.complex_step import complex_step
from tests.support.pipes import read_lines
from tests.support.servers import run, started
from training.data import load_dataset
from training.loss import mean_squared_error, pinball_loss
from training.recipes.champion import CONFIG, QUANTILE_WEIGHT, QUANTILES, loss
from training.split import split_dataset


@pytest.fixture(scope="module")
def champion():
    return load_model(SAVED_MODELS / "champion")


@pytest.fixture(scope="module")
def unseen():
    return split_dataset(load_dataset("embedded"), "random", 10)[1]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A file of 400 block groups all over the state, to train on in seconds."""
    dataset = load_dataset("embedded")
    rows = np.column_stack([dataset.rows, dataset.targets])[::51]
    path = tmp_path_factory.mktemp("data") / "small.csv"
    header = "MedInc,HouseAge,AveRooms,AveBedrms,Population,AveOccup,Latitude,Longitude,MedHouseVal"
    np.savetxt(path, rows, delimiter=",", header=header, comments="", fmt="%.17g")
    return path


def test_the_saved_champion_has_the_metrics_of_its_card(champion, unseen):
    predictions, lower, upper = champion.model.estimate(unseen.rows)
    errors = predictions - unseen.targets
    metrics = champion.card.metrics

    assert np.sqrt(np.mean(errors**2)) == pytest.approx(metrics.rmse, rel=1e-5)
    assert np.mean(np.abs(errors)) == pytest.approx(metrics.mae, rel=1e-5)
    assert metrics.rmse < 0.400
    assert metrics.mae < 0.245
    held = (lower <= unseen.targets) & (unseen.targets <= upper)
    assert np.mean(held) == pytest.approx(metrics.coverage)
    assert 0.88 < metrics.coverage < 0.92
    assert metrics.mean_width < 1.0


def test_cheap_and_expensive_houses_have_the_same_coverage(champion, unseen):
    predictions, lower, upper = champion.model.estimate(unseen.rows, DEFAULT_LEVEL)
    held = (lower <= unseen.targets) & (unseen.targets <= upper)
    quarter = np.searchsorted(np.quantile(predictions, [0.25, 0.5, 0.75]), predictions)

    for number in range(4):
        assert 0.86 < held[quarter == number].mean() < 0.95


def test_higher_levels_give_wider_intervals_that_cover_their_share(champion, unseen):
    widths = []
    for level in champion.model.interval.levels.tolist():
        predictions, lower, upper = champion.model.estimate(unseen.rows, level)
        held = (lower <= unseen.targets) & (unseen.targets <= upper)
        assert held.mean() == pytest.approx(level, abs=0.025)
        assert (lower <= predictions).all()
        assert (predictions <= upper).all()
        widths.append(np.mean(upper - lower))

    assert widths == sorted(widths)


@pytest.fixture(scope="module")
def alone(champion, unseen):
    """300 rows, some far from all training rows, and the estimate (3, 300) of each row alone."""
    rows = unseen.rows[:300].copy()
    rows[::30, 6:] += 3.0
    estimates = [champion.model.estimate(row[np.newaxis]) for row in rows]
    return rows, np.concatenate(estimates, axis=1)


@settings(deadline=None, max_examples=30)
@given(chosen=st.lists(st.integers(0, 299), min_size=1, max_size=400))
def test_a_row_has_the_same_estimate_alone_and_in_batches_of_any_size_and_order(
    champion, alone, chosen
):
    rows, estimates = alone

    together = np.array(champion.model.estimate(rows[chosen]))

    assert_allclose(together, estimates[:, chosen], rtol=0, atol=1e-9)


def kilometres_to_nearest(encoder, row):
    places = project(encoder.reference_rows[:, 6], encoder.reference_rows[:, 7])
    return np.abs(places - project(row[6], row[7])).min()


def test_a_row_far_from_every_training_row_has_a_warning_with_the_distance(champion):
    row = champion.golden_rows[0].copy()
    row[6:] = 37.0, -124.5

    _, (warnings,) = champion.model.estimate_with_warnings(row[np.newaxis])

    (sentence,) = [s for s in warnings if "km away" in s]
    kilometres = kilometres_to_nearest(champion.model.encoder, row)
    assert sentence.startswith(f"The nearest training row is {kilometres:.0f} km away")


@pytest.mark.parametrize(("latitude", "longitude"), [(41, -115.5), (36, -115), (37, -124.9)])
def test_the_interval_widens_far_from_the_training_rows(champion, unseen, latitude, longitude):
    """Inland and at sea, up to the whole range of training prices far from every training row."""
    moved = unseen.rows[:200].copy()
    moved[:, 6:] = latitude, longitude

    near, far = (champion.model.estimate(rows) for rows in (unseen.rows[:200], moved))

    kilometres = kilometres_to_nearest(champion.model.encoder, moved[0])
    widths = far.upper - far.lower
    ranges = champion.model.training_ranges
    reached = min((kilometres - 20) / 100, 1.0)
    assert widths.mean() > 1.5 * np.mean(near.upper - near.lower)
    assert widths.min() >= reached * (ranges.target_maximum - ranges.target_minimum) - 1e-9


def test_training_rows_are_covered_like_unseen_rows(champion):
    """A training row is not its own neighbour."""
    train_part = split_dataset(load_dataset("embedded"), "random", 10)[0]
    rows, targets = train_part.rows[:2000], train_part.targets[:2000]

    predictions, lower, upper = champion.model.estimate(rows)

    assert 0.88 < np.mean((lower <= targets) & (targets <= upper)) < 0.97
    assert np.sqrt(np.mean((predictions - targets) ** 2)) > 0.3


def test_the_gradient_of_the_champions_loss_matches_the_complex_step(rng):
    outputs, targets = rng.normal(size=(5, 1 + len(QUANTILES))), rng.normal(size=(5, 1))

    _, gradient = loss(outputs, targets)

    def complex_loss(outputs):
        return mean_squared_error(outputs[:, :1], targets) + QUANTILE_WEIGHT * len(
            QUANTILES
        ) * pinball_loss(outputs[:, 1:], targets, QUANTILES)

    assert_allclose(gradient, complex_step(complex_loss, outputs), rtol=1e-12)
    assert list(QUANTILES) == sorted(QUANTILES)


def train(small, output, *arguments):
    return [
        "-m",
        "training",
        "champion",
        "--no-report",
        f"--data={small}",
        f"--output={output}",
        *arguments,
    ]


@pytest.fixture(scope="module")
def unbroken(small, tmp_path_factory):
    """A run that nothing interrupts: its result, and the directory that it wrote."""
    directory = tmp_path_factory.mktemp("champion") / "unbroken"
    return run(*train(small, directory, "--json")), directory


def test_a_killed_run_resumes_to_the_same_bytes_as_an_unbroken_one(small, unbroken, tmp_path):
    whole, directory = unbroken
    printed = []
    with started(*train(small, tmp_path / "broken")) as process:
        for line in read_lines(process.stderr):
            printed.append(line.rstrip())
            if line.startswith("fold 3 of 5, epoch 7"):
                break
        process.kill()
    assert not (tmp_path / "broken" / "model.json").exists()

    resumed = run(*train(small, tmp_path / "broken", "--resume", "--json"))

    lines = [line for line in resumed.stderr.splitlines() if line in printed]
    assert len(lines) == len(printed), "the resumed run must print the epochs before the kill again"
    assert whole.returncode == resumed.returncode == 0, whole.stderr + resumed.stderr
    names = [next(path.glob("*.npz")).name for path in (directory, tmp_path / "broken")]
    assert names[0] == names[1]
    assert json.loads(resumed.stdout)["rmse"] == json.loads(whole.stdout)["rmse"]
    assert not (tmp_path / "broken" / "checkpoints").exists()


def test_a_run_prints_its_loss_and_validation_error_line_by_line(unbroken):
    result, _ = unbroken

    lines = result.stderr.splitlines()
    assert lines[0].startswith("fold 1 of 5, epoch 0: loss = ")
    assert "validation RMSE = " in lines[0]
    assert lines[-1].startswith(f"epoch {CONFIG.epochs - 1}: loss = ")
    assert len(lines) == 6 * CONFIG.epochs


def test_ctrl_c_during_training_saves_no_model_and_says_how_to_resume(small, tmp_path):
    with started(*train(small, tmp_path / "model")) as process:
        next(line for line in read_lines(process.stderr) if line.startswith("fold 1"))
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=30)

    assert process.returncode == 130
    assert rest.endswith(
        "interrupted; the model saved before is unchanged; continue with --resume\n"
    )
    assert not (tmp_path / "model" / "model.json").exists()


def test_too_few_rows_give_a_one_line_error(small, tmp_path):
    few = tmp_path / "few.csv"
    few.write_text("".join(small.read_text().splitlines(keepends=True)[:60]))

    result = run(*train(few, tmp_path / "model", "--quiet"))

    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "few.csv must have at least 100 training rows for this recipe" in result.stderr


def test_training_works_on_rows_from_a_single_block_of_the_map(small, tmp_path):
    """Every masked view then equals the unmasked one."""
    lines = small.read_text().splitlines()[:160]
    cells = [line.split(",") for line in lines[1:]]
    for row in cells:
        row[6], row[7] = "37.88", "-122.23"
    one_block = tmp_path / "block.csv"
    one_block.write_text("\n".join([lines[0], *(",".join(row) for row in cells)]) + "\n")

    result = run(*train(one_block, tmp_path / "model", "--quiet", "--json"))

    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["test_rows"] == 40


def test_checkpoints_keep_other_files_and_must_be_writable(small, tmp_path):
    mine = tmp_path / "model" / "checkpoints" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    run("-m", "training", "notebook", "--quiet", "--no-report", f"--output={tmp_path / 'model'}")
    assert mine.read_text() == "mine"

    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "checkpoints").write_text("a file")
    result = run(*train(small, tmp_path / "other", "--quiet"))
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "checkpoints must be writable in" in result.stderr
