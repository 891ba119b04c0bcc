import json
import sys

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from models.features import FEATURE_NAMES
from tests.support.servers import run
from training import competitors
from training.__main__ import main as training_main
from training.compare import compare, main, one_row_microseconds
from training.data import Dataset, load_dataset
from training.recipes import RECIPES
from training.split import split_dataset

SCIKIT_LEARN = {
    name: competitors.COMPETITORS[name]
    for name in ("linear regression", "scikit-learn MLP", "HistGradientBoosting")
}
LINEAR = {"linear regression": competitors.linear_regression}


@pytest.fixture(scope="module")
def dataset():
    """Every fortieth row: small enough for a test, and from the whole map."""
    rows, targets, source = load_dataset("embedded")
    return Dataset(rows[::40], targets[::40], source)


@pytest.fixture(scope="module")
def csv(dataset, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "houses.csv"
    columns = np.column_stack([dataset.rows, dataset.targets])
    header = ",".join((*FEATURE_NAMES, "MedHouseVal"))
    np.savetxt(path, columns, delimiter=",", header=header, comments="", fmt="%.17g")
    return str(path)


def test_the_table_lists_competitors_and_recipes_with_the_best_rmse_last(csv, capsys):
    main(["--quiet", "--data", csv], SCIKIT_LEARN)

    heading, empty, header, rule, *lines = capsys.readouterr().out.splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines]
    errors = [float(rmse) for _, _, rmse, _, _ in cells]
    assert heading.startswith(
        "Random split 10: 387 training rows, 129 test rows; errors in 100,000 USD"
    )
    assert empty == ""
    assert header == "| model | MAE | RMSE | fit, s | one row, us |"
    assert rule.count("|") == header.count("|")
    assert {name for name, *_ in cells} == {*SCIKIT_LEARN, *RECIPES}
    assert errors == sorted(errors, reverse=True)


def test_the_errors_are_those_of_scikit_learns_own_functions(dataset):
    train, test = split_dataset(dataset, "random", 10)
    predictions = LinearRegression().fit(train.rows, train.targets).predict(test.rows)

    (score,) = compare(train, test, {"linear regression": LinearRegression()}, {}, quiet=True)

    assert score.mae == pytest.approx(mean_absolute_error(test.targets, predictions), rel=1e-12)
    assert score.rmse == pytest.approx(
        root_mean_squared_error(test.targets, predictions), rel=1e-12
    )


def test_compare_gives_a_recipe_the_errors_of_its_training_command(saved):
    train, test = split_dataset(load_dataset("embedded"), "random", 10)

    (score,) = compare(train, test, {}, {"notebook": RECIPES["notebook"]}, quiet=True)

    assert score.mae == pytest.approx(saved.card.metrics.mae, rel=1e-12)
    assert score.rmse == pytest.approx(saved.card.metrics.rmse, rel=1e-12)


def test_the_time_of_one_row_is_the_median_of_calls_with_one_row_each(rng):
    shapes = []

    microseconds = one_row_microseconds(lambda row: shapes.append(row.shape), rng.random((5, 8)))

    assert set(shapes) == {(1, 8)}
    assert len(shapes) > 300
    assert 0 < microseconds < 1000


def test_json_is_one_object_with_the_table_and_its_conditions(dataset, csv, capsys):
    train, test = split_dataset(dataset, "blocked", 3)
    rows = {"train_rows": len(train.rows), "test_rows": len(test.rows)}

    status = main(
        ["--json", "--quiet", "--data", csv, "--split", "blocked", "--split-seed", "3"], LINEAR
    )

    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert (status, printed.err) == (0, "")
    assert report.keys() == {"split", "unit", "threads", "cores", "date", "versions", "models"}
    assert report["split"] == {"kind": "blocked", "seed": 3, **rows}
    assert list(report["versions"]) == ["python", "numpy", "scikit-learn"]
    assert {score["model"] for score in report["models"]} == {*LINEAR, *RECIPES}
    for score in report["models"]:
        assert score.keys() == {"model", "mae", "rmse", "fit_seconds", "one_row_microseconds"}
        assert 0 < score["mae"] < score["rmse"]
        assert score["fit_seconds"] > 0


def test_the_table_goes_to_stdout_and_the_progress_to_stderr(csv, capsys):
    main(["--data", csv], LINEAR)

    printed = capsys.readouterr()
    assert printed.out.startswith("Random split 10: ")
    assert printed.out.endswith(" |\n")
    assert "linear regression: fitted in 0.0 s\n" in printed.err


def test_a_missing_extra_gives_an_error_before_anything_is_fitted(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "lightgbm", None)

    status = training_main(["compare"])

    printed = capsys.readouterr()
    assert status == 2
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith(
        "python -m training compare: the extra `compare` must be installed. Run `make compare`. ("
    )
    assert "lightgbm" in printed.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--split", "spatial"], "argument --split: invalid choice"),
        (["--split-seed", "-1"], "argument --split-seed: must be a whole number"),
        (["--seed", "3"], "unrecognized arguments"),
        (["--data", "absent.csv"], "absent.csv must be a readable file: No such file"),
    ],
)
def test_invalid_arguments_give_a_one_line_error_and_exit_status_2(arguments, says):
    result = run("-m", "training", "compare", *arguments)

    assert result.returncode == 2
    assert result.stderr.startswith("python -m training compare: ")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_ctrl_c_gives_a_one_line_message(csv, capsys):
    class Interrupted(LinearRegression):
        def fit(self, *_):
            raise KeyboardInterrupt

    status = main(["--data", csv], {"interrupted": Interrupted})

    assert status == 130
    assert capsys.readouterr().err == "python -m training compare: interrupted\n"
