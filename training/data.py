"""Load the data: the embedded data set, scikit-learn's copy, or a CSV file."""

import gzip
import hashlib
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.arrays import FloatArray
from models.csv_table import Table, TableError, parse_csv_table
from models.features import FEATURE_NAMES, FEATURES, TARGET
from models.saved_model.card import DataSource

EMBEDDED = Path(__file__).parent / "embedded" / "california_housing.csv.gz"
EMBEDDED_SHA256 = "8a5396dba2c96ff32351fff11af69e8bfe9c08e572cafb38591f50daa75e368c"  # uncompressed

CENSUS_COLUMNS = (
    "longitude",
    "latitude",
    "housing_median_age",
    "total_rooms",
    "total_bedrooms",
    "population",
    "households",
    "median_income",
    "median_house_value",
)
FEATURE_COLUMNS = (*FEATURE_NAMES, TARGET.name)

CENSUS_FORMULAS = {
    "AveRooms": " (total_rooms / households)",
    "AveBedrms": " (total_bedrooms / households)",
    "AveOccup": " (population / households)",
    TARGET.name: " (median_house_value / 100000)",
}
"""How a column is computed from the census columns."""


class DataError(Exception):
    """The data cannot be used; the message names the file, and if known the line and the column."""


class Dataset(NamedTuple):
    """Block groups and their median house values."""

    rows: FloatArray  # (n, 8), in the order and units of FEATURES
    targets: FloatArray  # (n,), 100,000 USD (1990)
    source: DataSource


def load_dataset(source: str) -> Dataset:
    """Load the data set named `embedded` or `sklearn`, or a CSV file.

    Raises DataError.
    """
    if source == "embedded":
        return _load_embedded()
    if source == "sklearn":
        return _load_sklearn()
    return _load_file(Path(source))


def _load_embedded() -> Dataset:
    try:
        content = gzip.decompress(EMBEDDED.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "it is damaged"
        raise DataError(f"{EMBEDDED} must be a readable .gz file: {reason}") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != EMBEDDED_SHA256:
        raise DataError(f"{EMBEDDED} must have the SHA-256 {EMBEDDED_SHA256}, got {digest}")
    return _from_csv("embedded", EMBEDDED.name, content)


def _load_sklearn() -> Dataset:
    # Imported only where it is needed: it is slow to import.
    from sklearn.datasets import fetch_california_housing  # noqa: PLC0415

    try:
        with warnings.catch_warnings(action="ignore"):  # one for each retry of the download
            rows, targets = fetch_california_housing(return_X_y=True)
    except Exception as error:  # joblib documents no exceptions for a damaged cache
        raise DataError(f"--data sklearn must be able to download the data set: {error}") from error
    digest = hashlib.sha256(rows.tobytes() + targets.tobytes()).hexdigest()
    return Dataset(rows, targets, DataSource("sklearn", digest, len(rows)))


def _load_file(path: Path) -> Dataset:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} must be a readable file: {error.strerror}") from error
    return _from_csv(path.name, str(path), content)


def _from_csv(source: str, name: str, content: bytes) -> Dataset:
    try:
        table = parse_csv_table(name, content, FEATURE_COLUMNS, CENSUS_COLUMNS)
    except TableError as error:
        raise DataError(str(error)) from error
    if len(table.values) == 0:
        raise DataError(f"{name} must have rows below its header, got none")
    if table.columns is CENSUS_COLUMNS:
        rows, targets = _features_from_census(table)
    else:
        rows, targets = table.values[:, :-1], table.values[:, -1]
    _require_bounds(name, table.lines, rows, targets)
    digest = hashlib.sha256(content).hexdigest()
    return Dataset(np.ascontiguousarray(rows), targets, DataSource(source, digest, len(rows)))


def _features_from_census(table: Table) -> tuple[FloatArray, FloatArray]:
    """Compute features and targets with the same arithmetic as scikit-learn."""
    longitude, latitude, age, rooms, bedrooms, population, households, income, value = (
        table.values.T
    )
    with np.errstate(all="ignore"):  # NaN and infinity are rejected with the other bounds
        averages = rooms / households, bedrooms / households, population / households
    rows = np.column_stack(
        [income, age, averages[0], averages[1], population, averages[2], latitude, longitude]
    )
    return rows, value / 100_000.0


def _require_bounds(name: str, lines: Sequence[int], rows: FloatArray, targets: FloatArray) -> None:
    """Raise DataError for a number that the service would also reject."""
    for column, numbers in zip((*FEATURES, TARGET), (*rows.T, targets), strict=True):
        for line, number in zip(lines, numbers.tolist(), strict=True):
            if not column.allows(number):
                formula = CENSUS_FORMULAS.get(column.name, "")
                raise DataError(
                    f"{name}, line {line}, column {column.name}{formula}: "
                    f"must be a number {column.bounds}, got {number:g}"
                )
