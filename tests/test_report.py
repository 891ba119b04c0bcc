import sys
import xml.etree.ElementTree as ET
from collections import deque

import matplotlib as mpl
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models.house_price import Estimate
from training.data import Dataset, load_dataset
from training.history import EpochRecord, History, step_records
from training.report.bins import (
    DISTANCE_EDGES,
    coverage_by_prediction,
    distances_to_nearest,
    errors_by_distance,
    errors_by_price,
)
from training.report.importance import MAX_ROWS, SHUFFLES, permutation_importance
from training.report.pictures import PICTURES
from training.report.plots import plot_loss
from training.report.style import render, style
from training.report.write import ReportError, remove_report, write_report
from training.split import split_dataset

HISTORY = History([*step_records([4.0, 2.0, 1.0])])


@pytest.fixture(scope="module")
def parts():
    return split_dataset(load_dataset("embedded"), "random", 10)


@pytest.fixture(scope="module")
def report(saved, parts, tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    write_report(directory, saved.model, *parts, HISTORY)
    return directory / "report"


def test_a_report_has_exactly_the_pictures(report):
    assert {path.name for path in report.iterdir()} == {picture.name for picture in PICTURES}


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_each_picture_is_in_its_format_and_small(picture, report):
    content = (report / picture.name).read_bytes()

    if picture.name.endswith(".svg"):
        assert ET.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"
        assert len(content) < 150_000
    else:
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert len(content) < 250_000


def test_the_same_model_gives_the_same_bytes_whatever_the_users_settings(
    report, saved, parts, tmp_path
):
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": "other", "axes.facecolor": "red"}):
        write_report(tmp_path, saved.model, *parts, HISTORY)

        assert mpl.rcParams["font.size"] == 30

    for picture in PICTURES:
        assert (tmp_path / "report" / picture.name).read_bytes() == (
            report / picture.name
        ).read_bytes()


def test_the_smallest_parts_that_can_be_trained_on_have_a_report(saved, parts, tmp_path):
    train, test = (Dataset(part.rows[:n], part.targets[:n], part.source)
                   for part, n in zip(parts, (20, 2), strict=True))  # fmt: skip

    write_report(tmp_path, saved.model, train, test, History([*step_records([1.0])]))

    assert len([*(tmp_path / "report").iterdir()]) == len(PICTURES)


def test_the_validation_rmse_has_its_own_panel_if_it_was_measured():
    records = [EpochRecord(0, 3.0), EpochRecord(1, 2.0, 1.5), EpochRecord(2, -1.0, 1.2)]

    with style():
        figure = plot_loss(History(records, unit="epoch", loss="pinball loss, 100,000 USD"))

        loss, validation = figure.axes
        assert_array_equal(loss.lines[0].get_ydata(), [3.0, 2.0, -1.0])
        assert_array_equal(validation.lines[0].get_xydata(), [[1, 1.5], [2, 1.2]])
        assert validation.get_xlabel() == "epoch"
        assert render(figure, "loss.svg").startswith(b"<?xml")


def test_the_history_of_a_fit_has_an_entry_for_each_step():
    assert HISTORY.records == [(0, 4.0, None), (1, 2.0, None), (2, 1.0, None)]
    assert HISTORY.unit == "step"


def test_errors_by_price_are_computed_for_each_tenth(rng):
    targets = rng.permutation(np.arange(20.0))
    predictions = targets + np.where(targets < 2, [3.0], [-1.0])

    bins = errors_by_price(targets, predictions)

    assert [each.bin for each in bins] == [(2 * n, 2 * n + 1, 2) for n in range(10)]
    assert_allclose([each.rmse for each in bins], [3.0] + [1.0] * 9)
    assert_allclose([each.mean_error for each in bins], [3.0] + [-1.0] * 9)


def test_bins_by_distance_hold_all_rows(saved, parts):
    train, test = parts
    distances = distances_to_nearest(test.rows, train.rows)

    bins = errors_by_distance(distances, test.targets, saved.model.predict(test.rows))

    squares = sum(each.rmse**2 * each.bin.rows for each in bins)
    assert sum(each.bin.rows for each in bins) == len(test.rows)
    assert np.sqrt(squares / len(test.rows)) == pytest.approx(saved.card.metrics.rmse)
    assert bins[0].bin.rows == np.sum(distances < DISTANCE_EDGES[1])


def test_a_distance_at_an_edge_is_in_the_upper_bin_and_empty_bins_are_omitted():
    distances = np.array([0.0, 0.5, 31.9, 32.0, 500.0])

    bins = errors_by_distance(distances, np.zeros(5), np.ones(5))

    assert [each.bin for each in bins] == [
        (0.0, 0.5, 1), (0.5, 1.0, 1), (16.0, 32.0, 1), (32.0, np.inf, 2),
    ]  # fmt: skip


def test_distances_are_great_circle_distances():
    """A degree of latitude is 111.195 km; one of longitude at 37 degrees is cos(37) of that."""
    rows = np.zeros((3, 8))
    rows[:, -2:] = [[37.0, -120.0], [38.0, -120.0], [37.0, -119.9]]

    distances = distances_to_nearest(rows, rows[:1])

    assert_allclose(distances, [0.0, 111.195, 0.1 * 111.195 * np.cos(np.radians(37))], rtol=1e-5)


def test_coverage_by_prediction_equals_a_count_row_by_row(saved, parts):
    test = parts[1]
    estimate = saved.model.estimate(test.rows)

    bins = coverage_by_prediction(estimate, test.targets)

    in_order = sorted(zip(*estimate, test.targets, strict=True), key=lambda row: row[0])
    first = in_order[: len(in_order) // 10]
    assert bins[0].coverage == sum(low <= true <= high for _, low, high, true in first) / len(first)
    assert bins[0].bin == (first[0][0], first[-1][0], len(first))
    held = sum(each.coverage * each.bin.rows for each in bins)
    assert held / len(test.rows) == pytest.approx(saved.card.metrics.coverage)
    assert bins[-1].mean_width == pytest.approx(saved.card.metrics.mean_width)


def test_a_value_on_the_bound_of_its_interval_is_inside():
    estimate = Estimate(np.array([1.0, 2.0]), np.array([0.5, 1.0]), np.array([1.5, 3.0]))

    bins = coverage_by_prediction(estimate, np.array([1.5, 3.01]))

    assert [each.coverage for each in bins] == [1.0, 0.0]
    assert [each.mean_width for each in bins] == [1.0, 2.0]


def test_a_column_that_the_model_ignores_has_no_importance(rng):
    rows = rng.normal(size=(100, 3))
    targets = 2 * rows[:, 0] + rows[:, 2]

    increases = permutation_importance(
        lambda rows: 2 * rows[:, 0] + rows[:, 2], rows, targets, rng=rng
    )

    assert increases.shape == (3, SHUFFLES)
    assert_array_equal(increases[1], 0.0)
    assert increases[0].mean() > increases[2].mean() > 0


def test_importance_uses_a_limited_sample_and_does_not_change_the_rows(rng):
    rows = rng.normal(size=(MAX_ROWS + 1, 2))
    before, counts = rows.copy(), []

    permutation_importance(
        lambda rows: counts.append(len(rows)) or rows[:, 0], rows, rows[:, 0], rng=rng
    )

    assert set(counts) == {MAX_ROWS}
    assert_array_equal(rows, before)


def test_importance_is_the_same_for_the_same_seed(rng):
    rows = rng.normal(size=(50, 2))

    one, other = (
        permutation_importance(
            lambda rows: rows[:, 0], rows, rows[:, 0], rng=np.random.default_rng(3)
        )
        for _ in range(2)
    )

    assert_array_equal(one, other)


def test_a_missing_matplotlib_gives_a_one_line_error(saved, parts, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("draw", "plots", "style"):
        monkeypatch.delitem(sys.modules, f"training.report.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(ReportError, match=r"^matplotlib must be installed\."):
        write_report(tmp_path, saved.model, *parts, HISTORY)

    assert [*tmp_path.iterdir()] == []


def test_removing_a_report_keeps_other_files(tmp_path):
    (tmp_path / "report").mkdir()
    for name in (PICTURES[0].name, "mine.svg"):
        (tmp_path / "report" / name).touch()

    deque((remove_report(tmp_path) for _ in range(2)), maxlen=0)

    assert [path.name for path in (tmp_path / "report").iterdir()] == ["mine.svg"]
