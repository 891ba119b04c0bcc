"""Split the rows into a training and a test part."""

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from models.arrays import FloatArray, Indices
from training.data import DataError, Dataset

TEST_SHARE = 0.25
CELL_DEGREES = 0.25
MIN_TRAIN_ROWS = 20  # four for each fold of the interval's calibration
MIN_TEST_ROWS = 2  # R2 of a single row is not defined


def split_dataset(dataset: Dataset, kind: str, seed: int) -> tuple[Dataset, Dataset]:
    """Split a data set into a training part, and a test part of a quarter of the rows.

    `random` draws rows. `blocked` draws 0.25-degree cells of the map, so that test rows have no
    near neighbours in training. Raises DataError if a part would have too few rows.
    """
    groups = _cells(dataset.rows) if kind == "blocked" else np.arange(len(dataset.rows))
    if groups.max() < 1:
        what = "0.25-degree cells" if kind == "blocked" else "rows"
        raise DataError(f"{dataset.source.name} must have two {what} to split, got one")
    if kind == "blocked":
        splitter = GroupShuffleSplit(n_splits=1, test_size=TEST_SHARE, random_state=seed)
        train, test = next(splitter.split(dataset.rows, groups=groups))
    else:
        train, test = train_test_split(groups, test_size=TEST_SHARE, random_state=seed)
    if len(train) < MIN_TRAIN_ROWS or len(test) < MIN_TEST_ROWS:
        raise DataError(
            f"{dataset.source.name} must have enough rows for {MIN_TRAIN_ROWS} to train on and "
            f"{MIN_TEST_ROWS} to test on, got {len(train)} and {len(test)}"
        )
    return _part(dataset, train), _part(dataset, test)


def _cells(rows: FloatArray) -> Indices:
    """Number the 0.25-degree latitude/longitude cells from 0; return each row's cell."""
    corners = np.floor(rows[:, -2:] / CELL_DEGREES)
    return np.unique(corners, axis=0, return_inverse=True)[1]


def _part(dataset: Dataset, indices: Indices) -> Dataset:
    return Dataset(dataset.rows[indices], dataset.targets[indices], dataset.source)
