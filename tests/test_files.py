import asyncio
import csv
import io
import json
import os
import pty
import termios
import threading
from itertools import pairwise

import pyarrow as pa
import pytest
from numpy.testing import assert_allclose
from pyarrow import parquet

from app.inference.files import score_file
from app.inference.registry import load_models
from app.inference.scheduler import whole_batches
from app.inference.scored import Scorer
from models import SAVED_MODELS
from models.features import FEATURE_NAMES
from models.saved_model.storage import load_model
from tests.support.pipes import read_terminal
from tests.support.servers import run, started
from tests.support.waiting import join_all


@pytest.fixture
def rows(saved):
    return [dict(zip(FEATURE_NAMES, row, strict=True)) for row in saved.golden_rows.tolist()]


def write_csv(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, FEATURE_NAMES)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_ndjson(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_parquet(path, rows):
    parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


def predict(*arguments):
    return run("-m", "app", "predict", "--default", "notebook", *map(str, arguments))


def test_a_csv_file_gets_a_csv_line_for_each_row(tmp_path, rows, saved):
    result = predict(write_csv(tmp_path / "rows.csv", rows))

    answers = list(csv.DictReader(result.stdout.splitlines()))
    assert result.returncode == 0, result.stderr
    assert list(answers[0]) == ["prediction", "lower", "upper"]
    expected = saved.golden_estimate
    for name, numbers in zip(answers[0], expected, strict=True):
        assert_allclose([float(answer[name]) for answer in answers], numbers, rtol=1e-12)


@pytest.mark.parametrize("name", ["champion", "notebook"])
def test_a_rows_prediction_has_the_same_bits_whatever_the_other_rows(tmp_path, rng, name):
    rows = load_model(SAVED_MODELS / "champion").model.encoder.reference_rows[:777]
    rows = [dict(zip(FEATURE_NAMES, row, strict=True)) for row in rows.tolist()]
    cuts = [0, *sorted(rng.integers(len(rows), size=5).tolist()), len(rows)]
    model = load_models(SAVED_MODELS, name).default
    scorer = Scorer(model, 0.9, whole_batches(model.saved.model))

    def answers(some):
        source, output = write_csv(tmp_path / "rows.csv", some), io.BytesIO()
        asyncio.run(score_file(source, scorer, output))
        return output.getvalue().splitlines()[1:]

    apart = [answers(rows[start:stop]) for start, stop in pairwise(cuts)]
    assert [line for lines in apart for line in lines] == answers(rows)


def test_an_ndjson_file_gets_the_predictions_of_the_service(tmp_path, rows, client):
    result = predict(write_ndjson(tmp_path / "rows.ndjson", rows))

    assert result.returncode == 0, result.stderr
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    for answer, row in zip(answers, rows, strict=True):
        alone = client.post("/predict", json=row).json()
        assert answer["interval"] == pytest.approx(alone["interval"], rel=1e-12)
        assert answer["prediction"] == pytest.approx(alone["prediction"], rel=1e-12)
        assert answer.keys() == alone.keys()


def test_the_predictions_can_be_written_to_a_file(tmp_path, rows):
    source, output = write_csv(tmp_path / "rows.csv", rows), tmp_path / "answers.csv"

    result = predict(source, "--output", output)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert output.read_text() == predict(source).stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.csv", "rows.csv"]


def test_an_output_that_cannot_be_written_is_rejected(tmp_path, rows):
    source = write_csv(tmp_path / "rows.csv", rows)

    result = predict(source, "--output", tmp_path / "absent" / "answers.csv")

    full = run("-m", "app", "predict", str(source), stdout_path="/dev/full")

    assert result.returncode == full.returncode == 2
    assert result.stderr.endswith("must be writable: No such file or directory\n")
    assert full.stderr.endswith("standard output must be writable: No space left on device\n")


@pytest.mark.parametrize("name", ["answers.parquet", "answers.NDJSON"])
def test_an_output_with_the_suffix_of_another_format_is_rejected(tmp_path, rows, name):
    result = predict(write_csv(tmp_path / "rows.csv", rows), "--output", tmp_path / name)

    assert result.returncode == 2
    suffix = name.removeprefix("answers")
    says = f"{name} must have the format of the input, *.csv, got *{suffix}\n"
    assert result.stderr.endswith(says)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_an_output_that_is_a_link_is_followed_and_keeps_its_mode(tmp_path, rows):
    source, target, link = (tmp_path / name for name in ("rows.csv", "private.csv", "link.csv"))
    write_csv(source, rows)
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)

    predict(source, "--output", link)

    assert link.is_symlink()
    assert target.read_text() == predict(source).stdout
    assert target.stat().st_mode & 0o777 == 0o600


def test_an_output_that_is_a_pipe_is_written_to(tmp_path, rows):
    source, pipe = write_csv(tmp_path / "rows.csv", rows), tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    received = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()), daemon=True)
    reader.start()

    predict(source, "--output", pipe)
    join_all([reader])

    assert pipe.is_fifo()
    assert received == [predict(source).stdout]


def test_a_rejected_row_keeps_its_place_and_is_reported_and_counted(tmp_path, rows):
    bad = [*rows[:2], {**rows[2], "HouseAge": 201}, *rows[3:]]
    reason = "HouseAge must be a number from 0 to 200 (years), got a number that is too large."

    for source in (
        write_csv(tmp_path / "rows.csv", bad),
        write_ndjson(tmp_path / "rows.jsonl", bad),
        write_parquet(tmp_path / "rows.parquet", bad),
    ):
        output = tmp_path / "answers"
        result = predict(source, "--output", output)
        assert result.returncode == 4
        assert result.stderr.splitlines() == [
            f"{source}, row 3: {reason}",
            "python -m app: 1 of 8 rows were rejected",
        ]
        if source.suffix == ".csv":
            assert output.read_text().splitlines()[3] == ",,"
        elif source.suffix == ".jsonl":
            assert json.loads(output.read_text().splitlines()[2]) == {"error": reason}
        else:
            assert (
                parquet.read_table(output)["error"].to_pylist()
                == [None] * 2 + [reason] + [None] * 5
            )


def test_only_the_first_rejected_rows_are_reported(tmp_path):
    result = predict(write_csv(tmp_path / "rows.csv", [dict.fromkeys(FEATURE_NAMES, "x")] * 30))

    assert result.returncode == 4
    assert result.stderr.count("row ") == 20
    assert result.stderr.endswith("30 of 30 rows were rejected\n")


def test_a_parquet_file_gets_a_parquet_output(tmp_path, rows, saved):
    output = tmp_path / "answers.parquet"

    result = predict(write_parquet(tmp_path / "rows.parquet", rows), "--output", output)

    answers = parquet.read_table(output)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert answers.column_names == ["prediction", "lower", "upper", "error"]
    assert_allclose(answers["prediction"], saved.golden_estimate.predictions, rtol=1e-12)
    assert answers["error"].null_count == len(rows)


def test_a_terminal_shows_a_progress_bar(tmp_path, rows):
    source = write_csv(tmp_path / "rows.csv", rows * 20_000)
    parent_end, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))

    command = ("-m", "app", "predict", str(source), "--output", str(tmp_path / "out"))
    environment = {"HOUSING_DEFAULT": "notebook"}
    with started(*command, stderr=terminal, environment=environment) as process:
        os.close(terminal)
        shown = read_terminal(parent_end)
        process.wait(timeout=15)

    assert process.returncode == 0
    assert "scoring" in shown
    assert "%" in shown


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("rows.txt", "", "must be named *.csv, *.ndjson, *.jsonl or *.parquet, got .txt"),
        ("rows.csv", "", "rows.csv is empty; expected a header line with MedInc, HouseAge, ..."),
        ("rows.csv", "a,b\n1,2\n", "rows.csv, line 1: the header must have the column MedInc"),
        (
            "rows.parquet",
            "PAR1",
            "rows.parquet must be a Parquet file, got damaged or other data",
        ),
    ],
)
def test_an_invalid_file_is_rejected_and_nothing_is_written(tmp_path, name, content, says):
    (tmp_path / name).write_text(content)

    result = predict(tmp_path / name, "--output", tmp_path / "answers")

    assert result.returncode == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_missing_file_is_rejected(tmp_path):
    for name in ("absent.csv", "absent.parquet"):
        result = predict(tmp_path / name)
        assert result.returncode == 2
        assert result.stderr.endswith("must be a readable file: No such file or directory\n")
