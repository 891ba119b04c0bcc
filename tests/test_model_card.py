import dataclasses
import json
import re
import shutil

import pytest

from models import SAVED_MODELS
from models.saved_model.storage import SavedModelError, save_model
from training.__main__ import _parse
from training.model_card import remove_model_card, write_model_card
from training.recipes.recipe import Ablation
from training.report.pictures import PICTURES
from training.report.write import ReportError

NOTEBOOK = SAVED_MODELS / "notebook"


@pytest.fixture
def directory(tmp_path):
    """A copy of the committed model, without its report."""
    for path in NOTEBOOK.glob("*.*"):
        if path.name != "README.md":
            shutil.copy(path, tmp_path)
    return tmp_path


def card(directory, *arguments):
    write_model_card(directory, *arguments)
    return (directory / "README.md").read_text()


def front_matter(text):
    """The text between the first two lines of dashes."""
    empty, matter, _ = re.split(r"^---$\n", text, maxsplit=2, flags=re.MULTILINE)
    assert empty == ""
    return matter


def metrics_of(text):
    """The value of each metric of the model index, by type."""
    return {
        kind: json.loads(value)
        for kind, value in re.findall(r"- type: (\w+)\n +name: .*\n +value: (.*)", text)
    }


def test_the_model_index_has_the_numbers_of_model_json_to_the_last_digit(directory):
    metrics = json.loads((directory / "model.json").read_text())["metrics"]

    assert metrics_of(front_matter(card(directory))) == {
        "mae": metrics["mae"],
        "rmse": metrics["rmse"],
        "mse": metrics["mse"],
        "r_squared": metrics["r2"],
        "coverage": metrics["coverage"],
    }


def test_the_card_has_the_metrics_that_the_service_serves(directory, client):
    served = client.get("/metrics").json()

    metrics = metrics_of(front_matter(card(directory)))

    for name in ("mae", "rmse", "mse", "coverage"):
        assert metrics[name] == served[name]
    assert metrics["r_squared"] == served["r2"]


def test_the_front_matter_has_the_fields_of_a_hugging_face_model_card(directory):
    matter = front_matter(card(directory))

    keys = re.findall(r"^([a-z_-]+):", matter, re.MULTILINE)
    assert keys == [
        "license", "library_name", "pipeline_tag", "tags", "datasets", "metrics", "model-index",
    ]  # fmt: skip
    assert f'- name: "{directory.name}"' in matter
    assert "\t" not in matter


def test_a_tiny_metric_is_a_number_in_yaml(directory, saved):
    """YAML 1.1 reads 1e-05 as a string."""
    metrics = dataclasses.replace(saved.card.metrics, mae=1e-05, rmse=1.5e-07)
    changed = dataclasses.replace(saved.card, metrics=metrics)
    save_model(directory, saved.model, changed, saved.golden_rows)

    matter = front_matter(card(directory))

    assert "value: 1.0e-05\n" in matter
    assert "value: 1.5e-07\n" in matter


def test_the_committed_card_is_generated_from_the_committed_model(directory):
    committed = (NOTEBOOK / "README.md").read_text()
    shutil.copytree(NOTEBOOK / "report", directory / "report")

    text = card(directory).replace(directory.name, "notebook")

    assert text == committed


def test_the_same_model_gives_the_same_bytes(directory):
    assert card(directory) == card(directory)


def test_the_tables_have_metrics_hyperparameters_and_ranges(directory):
    text = card(directory)

    assert "| RMSE | 0.6445 | 100,000 USD of 1990 |" in text
    assert "| `learning_rate` | 0.1 |" in text
    assert "| `optimizer` | gradient descent, full batch |" in text
    assert "| `HouseAge` | median age of the houses | years | 1 | 52 |" in text
    assert "above 500,001 USD" in text


def test_the_cards_command_has_the_arguments_of_the_training_run(directory, saved):
    (command,) = re.findall(r"^    python -m training (.*)$", card(directory), re.MULTILINE)

    options = _parse(command.split())

    assert options.recipe == saved.card.recipe
    assert (options.seed, options.split_seed) == (saved.card.seed, saved.card.split.seed)
    assert (options.data, options.split) == (saved.card.data.name, saved.card.split.kind)


def test_only_existing_pictures_are_shown(directory):
    without = card(directory)
    (directory / "report").mkdir()
    (directory / "report" / PICTURES[0].name).touch()

    text = card(directory)

    assert "## Pictures" not in without
    assert re.findall(r"!\[.*\]\((.*)\)", text) == [f"report/{PICTURES[0].name}"]


def test_ablations_have_a_section_only_if_there_are_any(directory):
    without = card(directory)

    text = card(directory, [Ablation("twice | as wide", "RMSE\n+0.01")])

    assert "Ablations" not in without
    assert "## Ablations\n" in text
    assert "| variant | result |\n| --- | --- |\n| twice" in text
    assert "| twice \\| as wide | RMSE +0.01 |" in text


def test_a_readme_that_is_not_generated_is_kept(directory):
    (directory / "README.md").write_text("# Mine\n")

    with pytest.raises(ReportError, match="is not a generated model card and is kept"):
        write_model_card(directory)
    remove_model_card(directory)

    assert (directory / "README.md").read_text() == "# Mine\n"


def test_a_card_can_be_removed_twice(directory):
    card(directory)

    remove_model_card(directory)
    remove_model_card(directory)

    assert not (directory / "README.md").exists()


def test_a_damaged_model_gets_no_card(directory):
    (directory / "model.json").write_text("{}")

    with pytest.raises(SavedModelError):
        write_model_card(directory)

    assert not (directory / "README.md").exists()


def test_saving_keeps_the_report_and_other_files(directory, saved):
    card(directory)
    (directory / "report").mkdir()
    (directory / "report" / "loss.svg").write_text("a picture")

    save_model(directory, saved.model, saved.card, saved.golden_rows)

    assert (directory / "report" / "loss.svg").read_text() == "a picture"
    assert (directory / "README.md").exists()
