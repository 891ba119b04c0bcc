import json
import os
import pty
import shutil
import signal
import subprocess
import termios

import pytest
from numpy.testing import assert_allclose

from models.saved_model.storage import load_model
from tests.support.pipes import read_line, read_terminal
from tests.support.servers import run, started
from training.__main__ import main
from training.report.pictures import PICTURES
from training.report.write import ReportError
from training.retrain import main as retrain


def train(*arguments):
    return run("-m", "training", "notebook", *map(str, arguments))


def contents(directory):
    return {
        path.relative_to(directory): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """The command without options: its result, and the directory that it wrote."""
    directory = tmp_path_factory.mktemp("training") / "model"
    return train("--output", directory), directory


@pytest.fixture
def trained(training, tmp_path):
    """A copy of that directory."""
    return shutil.copytree(training[1], tmp_path / "model")


@pytest.fixture(scope="module")
def quiet_training(tmp_path_factory):
    """The command with --json, --quiet and --no-report: its result and its directory."""
    directory = tmp_path_factory.mktemp("training") / "quiet"
    return train("--json", "--quiet", "--no-report", "--output", directory), directory


def test_the_command_prints_the_losses_and_metrics_of_the_notebook(training):
    result, _ = training

    lines = result.stderr.splitlines()
    assert result.returncode == 0
    assert lines[0] == "Iter 0: loss = 4.494365"
    assert lines[37] == "Iter 370: loss = 0.457060"
    assert lines[-1].startswith("Iter 1000: loss = ")
    assert len(lines) == 101, "no progress bar where nobody is watching"
    printed = dict(line.split(": ") for line in result.stdout.splitlines()[:3])
    assert_allclose(float(printed["MAE"]), 0.4541651383248917, rtol=1e-12)
    assert_allclose(float(printed["RMSE"]), 0.6445131808245368, rtol=1e-12)
    assert_allclose(float(printed["MSE"]), 0.4153972402565621, rtol=1e-12)


def test_the_option_json_prints_one_object_on_standard_output(quiet_training):
    result, directory = quiet_training

    report = json.loads(result.stdout)
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    assert_allclose(report["mae"], 0.4541651383248917, rtol=1e-12)
    assert_allclose(report["rmse"], 0.6445131808245368, rtol=1e-12)
    assert_allclose(report["mse"], 0.4153972402565621, rtol=1e-12)
    assert 0.88 < report["coverage"] < 0.92
    assert 0 < report["fit_seconds"] < 60
    assert report["test_rows"] == 5160
    assert report["model"] == f"quiet@{load_model(directory).version}"


def test_a_progress_bar_is_shown_on_a_terminal(tmp_path):
    watcher, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    command = ("-m", "training", "notebook", "--output", str(tmp_path))
    with started(*command, stderr=terminal, stdout=subprocess.DEVNULL) as process:
        os.close(terminal)
        shown = read_terminal(watcher)
        assert process.wait(timeout=15) == 0

    assert "fitting" in shown
    assert "it/s, loss = " in shown
    assert "Iter 1000: loss" in shown


def test_the_committed_model_is_the_one_that_the_command_trains(saved, quiet_training):
    """Bit for bit on the machine that trained it, up to rounding on another processor."""
    result, directory = quiet_training
    retrained = json.loads(result.stdout)

    model = load_model(directory).model
    assert_allclose(model.predict(saved.golden_rows), saved.golden_estimate.predictions, rtol=1e-10)
    assert retrained["mae"] == pytest.approx(saved.card.metrics.mae, rel=1e-12)


def test_retraining_gives_the_same_bytes(tmp_path):
    for name in ("one", "other"):
        seeds = ("--seed", "3", "--split-seed", "4")
        train("--quiet", "--no-report", *seeds, "--output", tmp_path / name)

    one, other = (next((tmp_path / name).glob("*.npz")) for name in ("one", "other"))
    assert one.name == other.name
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("changed", [["--seed", "11"], ["--split-seed", "11"]])
def test_other_seeds_give_different_models_of_similar_quality(changed, tmp_path):
    report = json.loads(
        train("--json", "--quiet", "--no-report", *changed, "--output", tmp_path).stdout
    )

    card = load_model(tmp_path).card
    assert report["mae"] != pytest.approx(0.4541651383248917, rel=1e-6)
    assert 0.4 < report["mae"] < 0.6
    assert 0.87 < report["coverage"] < 0.93
    assert {card.seed, card.split.seed} == {10, 11}


def test_the_blocked_split_gives_larger_errors(tmp_path):
    report = json.loads(
        train("--json", "--quiet", "--no-report", "--split", "blocked", "--output", tmp_path).stdout
    )

    assert report["rmse"] > 0.6445131808245368
    assert load_model(tmp_path).card.split.kind == "blocked"


def test_a_report_and_a_card_are_written_beside_the_model(training):
    result, directory = training

    assert result.returncode == 0
    assert "report is not whole" not in result.stderr
    assert {path.name for path in (directory / "report").iterdir()} == {p.name for p in PICTURES}
    card = (directory / "README.md").read_text()
    assert load_model(directory).version in card
    for picture in PICTURES:
        assert f"](report/{picture.name})" in card


def test_the_option_no_report_writes_no_report_and_removes_the_previous_one(trained):
    assert (trained / "README.md").exists()

    main(["notebook", "--quiet", "--seed=3", "--no-report", f"--output={trained}"])

    assert load_model(trained).card.seed == 3
    assert [path.suffix for path in contents(trained)].count(".npz") == 1
    assert {path.suffix for path in contents(trained)} == {".npz", ".json"}


def test_a_failed_report_prints_an_error_and_keeps_the_model_and_its_card(
    tmp_path, monkeypatch, capsys
):
    def fail(*_):
        raise ReportError("matplotlib must be installed.")

    monkeypatch.setattr("training.__main__.write_report", fail)

    status = main(["notebook", "--quiet", "--json", f"--output={tmp_path}"])

    out, err = capsys.readouterr()
    assert status == 0
    assert err == ("python -m training: the report is incomplete: matplotlib must be installed.\n")
    assert json.loads(out)["model"].endswith(load_model(tmp_path).version)
    assert "## Pictures" not in (tmp_path / "README.md").read_text()


def test_an_interrupted_report_leaves_the_model_and_no_card(tmp_path, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("training.__main__.write_report", interrupt)

    status = main(["notebook", "--quiet", f"--output={tmp_path}"])

    assert status == 130
    assert capsys.readouterr().err.endswith(
        "interrupted; the model is saved, but its report is incomplete\n"
    )
    assert load_model(tmp_path).card.recipe == "notebook"
    assert not (tmp_path / "README.md").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_training_run_keeps_the_old_model(number, trained):
    before = contents(trained)
    command = ("-m", "training", "notebook", "--seed", "3", "--output", str(trained))
    with started(*command) as process:
        assert read_line(process.stderr).startswith("Iter 0: loss = ")
        process.send_signal(number)
        _, rest = process.communicate(timeout=30)

    assert contents(trained) == before
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert rest.endswith("interrupted; the model saved before is unchanged\n")
        assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--seed", "-1"], "argument --seed: must be a whole number from 0 to 4294967295"),
        (["--split-seed", "1.5"], "argument --split-seed: must be a whole number"),
        (["--split", "spatial"], "argument --split: invalid choice"),
        (["--epochs", "3"], "unrecognized arguments"),
        (["--data", "absent.csv"], "absent.csv must be a readable file: No such file"),
        (
            ["--output", "/dev/null/model"],
            "/dev/null/model must be a directory: Not a directory",
        ),
    ],
)
def test_invalid_arguments_give_a_one_line_error_and_exit_status_2(arguments, says):
    result = train("--quiet", *arguments)

    assert result.returncode == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_an_unknown_recipe_is_rejected(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["champignon"])

    assert stop.value.code == 2
    assert "invalid choice: 'champignon'" in capsys.readouterr().err


def test_the_default_output_is_the_recipes_own_directory(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("training.__main__.SAVED_MODELS", tmp_path)

    assert main(["notebook", "--quiet"]) == 0

    assert load_model(tmp_path / "notebook").card.recipe == "notebook"
    assert (tmp_path / "notebook" / "README.md").exists()
    assert capsys.readouterr().err == ""  # --quiet is silent about the report too


def test_retraining_trains_every_saved_model_as_its_card_says(tmp_path, monkeypatch):
    monkeypatch.setattr("training.retrain.SAVED_MODELS", tmp_path)
    for name, seed in [("one", "3"), ("other", "4")]:
        main(
            [
                "notebook",
                "--quiet",
                "--no-report",
                "--split=blocked",
                f"--seed={seed}",
                f"--output={tmp_path / name}",
            ]
        )
    before = {path.parent.name: path.name for path in tmp_path.glob("*/*.npz")}
    for path in tmp_path.glob("*/*.npz"):
        assert load_model(path.parent).card.split.kind == "blocked"

    assert retrain() == 0

    assert {path.parent.name: path.name for path in tmp_path.glob("*/*.npz")} == before


def test_an_empty_output_and_a_full_standard_output_are_errors(tmp_path):
    empty = train("--output", "")
    full = run(
        *["-m", "training", "notebook", "--quiet", "--output", str(tmp_path)],
        stdout_path="/dev/full",
    )

    assert (empty.returncode, full.returncode) == (2, 2)
    assert "must name a directory, got an empty text" in empty.stderr
    assert full.stderr.endswith("standard output must be writable: No space left on device\n")
