import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import train_test_split

from training.data import DataError, Dataset, load_dataset
from training.recipes.notebook import fit_scaler
from training.split import split_dataset


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("embedded")


def some(dataset, count):
    return Dataset(dataset.rows[:count], dataset.targets[:count], dataset.source)


@pytest.mark.parametrize("seed", [10, 0, 7])
def test_the_random_split_equals_scikit_learns(dataset, seed):
    train, test = split_dataset(dataset, "random", seed)

    expected = train_test_split(dataset.rows, dataset.targets, random_state=seed)
    for part, array in zip(
        (train.rows, test.rows, train.targets, test.targets), expected, strict=True
    ):
        assert_array_equal(part, array)


@pytest.mark.parametrize("seed", [10, 0, 7])
def test_the_blocked_split_holds_out_a_quarter_of_the_cells_with_all_their_rows(dataset, seed):
    def cells(part):
        return {tuple(cell) for cell in np.floor(part.rows[:, 6:] / 0.25)}

    train, test = split_dataset(dataset, "blocked", seed)

    assert not cells(train) & cells(test)
    assert len(cells(test)) == round(len(cells(dataset)) / 4)
    assert len(train.rows) + len(test.rows) == len(dataset.rows)


def test_other_split_seeds_draw_other_rows(dataset):
    for kind in ("random", "blocked"):
        one, other = (split_dataset(dataset, kind, seed)[1].rows for seed in (10, 11))
        assert not np.array_equal(one[:100], other[:100])


def test_the_scaler_is_fitted_on_the_training_rows_alone(dataset):
    train, _ = split_dataset(dataset, "random", 3)

    scaler = fit_scaler(train.rows)

    np.testing.assert_allclose(scaler.mean, train.rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scaler.scale, train.rows.std(axis=0), rtol=1e-12)


@pytest.mark.parametrize("kind", ["random", "blocked"])
@pytest.mark.parametrize("rows", [1, 2, 20])
def test_too_few_rows_to_split_are_an_error(dataset, kind, rows):
    with pytest.raises(DataError, match=r"^embedded must have (enough rows|two) .*, (got|but) "):
        split_dataset(some(dataset, rows), kind, 10)


def test_a_blocked_split_of_a_single_cell_is_an_error(dataset):
    one_cell = dataset.rows.copy()
    one_cell[:, 6:] = 37.88, -122.23

    with pytest.raises(DataError, match=r"must have two 0\.25-degree cells to split, got one"):
        split_dataset(Dataset(one_cell, dataset.targets, dataset.source), "blocked", 10)


def test_twenty_seven_rows_are_enough_to_split(dataset):
    train, test = split_dataset(some(dataset, 27), "random", 10)

    assert (len(train.rows), len(test.rows)) == (20, 7)
