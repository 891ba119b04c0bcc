"""Which rows train and which test."""

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from models.arrays import FloatArray, Indices
from training.data import DataError, Dataset

TEST_SHARE = 0.25
CELL_DEGREES = 0.25
MINIMUM_TRAIN_ROWS = 20  # four for each of the five folds that calibrate the interval
MINIMUM_TEST_ROWS = 2  # r2 of a single row is not defined


def split_dataset(dataset: Dataset, kind: str, seed: int) -> tuple[Dataset, Dataset]:
    """The training and the test part, a quarter of the rows.

    `random` draws rows; `blocked` draws 0.25-degree cells of the map, so that the test rows have no
    near neighbours in training. Raises DataError where a part would have too few rows.
    """
    groups = _cells(dataset.rows) if kind == "blocked" else np.arange(len(dataset.rows))
    if groups.max() < 1:
        what = "0.25-degree cells" if kind == "blocked" else "rows"
        raise DataError(f"{dataset.source.name} must have two {what} to split, however it has one")
    if kind == "blocked":
        splitter = GroupShuffleSplit(n_splits=1, test_size=TEST_SHARE, random_state=seed)
        train, test = next(splitter.split(dataset.rows, groups=groups))
    else:
        train, test = train_test_split(groups, test_size=TEST_SHARE, random_state=seed)
    if len(train) < MINIMUM_TRAIN_ROWS or len(test) < MINIMUM_TEST_ROWS:
        raise DataError(
            f"{dataset.source.name} must have enough rows for {MINIMUM_TRAIN_ROWS} to train and "
            f"{MINIMUM_TEST_ROWS} to test, however its {len(dataset.rows)} rows split into "
            f"{len(train)} and {len(test)}"
        )
    return _part(dataset, train), _part(dataset, test)


def _cells(rows: FloatArray) -> Indices:
    """The number of the 0.25-degree latitude/longitude cell of each row, from 0."""
    corners = np.floor(rows[:, -2:] / CELL_DEGREES)
    return np.unique(corners, axis=0, return_inverse=True)[1]


def _part(dataset: Dataset, indices: Indices) -> Dataset:
    return Dataset(dataset.rows[indices], dataset.targets[indices], dataset.source)
