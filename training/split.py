"""Which rows train and which test."""

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from models.arrays import FloatArray
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
    rows = len(dataset.rows)
    try:
        if kind == "blocked":
            splitter = GroupShuffleSplit(n_splits=1, test_size=TEST_SHARE, random_state=seed)
            train, test = next(splitter.split(dataset.rows, groups=_cells(dataset.rows)))
        else:
            train, test = train_test_split(np.arange(rows), test_size=TEST_SHARE, random_state=seed)
    except ValueError as error:
        raise DataError(f"the data must have enough rows to split, however: {error}") from error
    if len(train) < MINIMUM_TRAIN_ROWS or len(test) < MINIMUM_TEST_ROWS:
        raise DataError(
            f"{dataset.source.source} must have enough rows for {MINIMUM_TRAIN_ROWS} to train and "
            f"{MINIMUM_TEST_ROWS} to test, however its {rows} rows split into "
            f"{len(train)} and {len(test)}"
        )
    return _part(dataset, train), _part(dataset, test)


def _cells(rows: FloatArray) -> FloatArray:
    """A number for the 0.25-degree latitude/longitude cell of each row."""
    corners = np.floor(rows[:, -2:] / CELL_DEGREES)
    return corners @ [10_000.0, 1.0]  # no longitude reaches 10,000 cells


def _part(dataset: Dataset, indices: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Dataset:
    return Dataset(dataset.rows[indices], dataset.targets[indices], dataset.source)
