import csv
import json
import os
import threading

import pytest

from models.features import FEATURE_NAMES
from tests.conftest import run


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


def predict(*arguments):
    return run("-m", "app", "predict", "--default", "notebook", *map(str, arguments))


def test_a_csv_file_is_answered_in_csv_row_for_row(tmp_path, rows, saved):
    result = predict(write_csv(tmp_path / "rows.csv", rows))

    answers = list(csv.DictReader(result.stdout.splitlines()))
    assert result.returncode == 0, result.stderr
    assert list(answers[0]) == ["prediction", "lower", "upper"]
    expected = saved.golden_estimate
    assert [float(a["prediction"]) for a in answers] == expected.predictions.tolist()
    assert [float(a["lower"]) for a in answers] == expected.lower.tolist()
    assert [float(a["upper"]) for a in answers] == expected.upper.tolist()


def test_an_ndjson_file_is_answered_as_the_service_answers(tmp_path, rows, client):
    result = predict(write_ndjson(tmp_path / "rows.ndjson", rows))

    assert result.returncode == 0, result.stderr
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert answers == [client.post("/predict", json=row).json() for row in rows]


def test_the_answers_can_go_to_a_file(tmp_path, rows):
    source, output = write_csv(tmp_path / "rows.csv", rows), tmp_path / "answers.csv"

    result = predict(source, "--output", output)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert output.read_text() == predict(source).stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.csv", "rows.csv"]


def test_an_output_that_cannot_be_written_is_refused(tmp_path, rows):
    source = write_csv(tmp_path / "rows.csv", rows)

    result = predict(source, "--output", tmp_path / "absent" / "answers.csv")

    full = run("-m", "app", "predict", str(source), stdout_path="/dev/full")

    assert result.returncode == full.returncode == 2
    assert result.stderr.endswith("must be writable, however: No such file or directory\n")
    assert full.stderr.endswith(
        "standard output must be writable, however: No space left on device\n"
    )


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
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()))
    reader.start()

    predict(source, "--output", pipe)
    reader.join()

    assert pipe.is_fifo()
    assert received == [predict(source).stdout]


def test_a_refused_row_is_named_by_file_line_and_column_and_nothing_is_written(tmp_path, rows):
    bad = [*rows[:2], {**rows[2], "HouseAge": 201}]

    for source, says in [
        (write_csv(tmp_path / "rows.csv", bad), "rows.csv, line 4, column HouseAge: must be a "
         "number from 0 to 200 (years), however: 201"),
        (write_ndjson(tmp_path / "rows.jsonl", bad), "rows.jsonl, line 3: HouseAge must be a "
         "number from 0 to 200 (years), however one that is too large came."),
    ]:  # fmt: skip
        result = predict(source, "--output", tmp_path / "answers")
        assert result.returncode == 2
        assert says in result.stderr
        assert result.stderr.count("\n") == 1
        assert not (tmp_path / "answers").exists()


def test_a_line_that_is_not_json_and_a_format_that_is_not_known_are_refused(tmp_path):
    (tmp_path / "rows.ndjson").write_text("{\n")
    (tmp_path / "rows.txt").write_text("")

    for name, says in [("rows.ndjson", "line 1: must be JSON in UTF-8"), ("rows.txt", "*.csv")]:
        result = predict(tmp_path / name)
        assert result.returncode == 2
        assert says in result.stderr
        assert result.stderr.count("\n") == 1
