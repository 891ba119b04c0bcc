import gzip
import os
import re

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from models.features import FEATURE_NAMES
from tests.support.servers import run
from training.data import CENSUS_COLUMNS, EMBEDDED, DataError, load_dataset

CENSUS_HEADER = ",".join(CENSUS_COLUMNS)
CENSUS_LINE = "-122.23,37.88,41,880,129,322,126,8.3252,452600"
FEATURE_HEADER = ",".join((*FEATURE_NAMES, "MedHouseVal"))
FEATURE_LINE = "8.3252,41,6.9,1.02,322,2.55,37.88,-122.23,4.526"


@pytest.fixture
def write(tmp_path):
    def write(*lines, name="houses.csv", end="\n"):
        path = tmp_path / name
        path.write_bytes("".join(line + end for line in lines).encode())
        return str(path)

    return write


@pytest.fixture(scope="module")
def embedded():
    return load_dataset("embedded")


def test_the_embedded_data_are_bit_identical_to_scikit_learns(embedded, tmp_path, monkeypatch):
    """scikit-learn's own code on the census columns, as it caches them after the download."""
    with gzip.open(EMBEDDED) as file:
        census = np.loadtxt(file, delimiter=",", skiprows=1)
    columns_as_cached = [8, 7, 2, 3, 4, 5, 6, 1, 0]
    joblib.dump(census[:, columns_as_cached], tmp_path / "cal_housing_py3.pkz", compress=6)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))

    sklearn = load_dataset("sklearn")

    assert embedded.rows.shape == (20640, 8)
    assert embedded.rows.tobytes() == sklearn.rows.tobytes()
    assert embedded.targets.tobytes() == sklearn.targets.tobytes()


def test_loading_the_sklearn_data_without_a_network_gives_a_one_line_error(tmp_path):
    """Proxies without a listener simulate a machine without a network."""
    offline = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    environment = {**os.environ, **offline, "SCIKIT_LEARN_DATA": str(tmp_path / "cache")}

    result = run(
        *["-m", "training", "notebook", "--quiet", "--data", "sklearn", "--output"],
        str(tmp_path / "model"),
        env=environment,
    )

    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "--data sklearn must be able to download the data set" in result.stderr


def test_embedded_data_that_were_changed_are_rejected(tmp_path, monkeypatch):
    changed = tmp_path / "changed.csv.gz"
    changed.write_bytes(gzip.compress(gzip.decompress(EMBEDDED.read_bytes()) + b"\n"))
    monkeypatch.setattr("training.data.EMBEDDED", changed)

    with pytest.raises(DataError, match=r"changed\.csv\.gz must have the SHA-256 8a5396db"):
        load_dataset("embedded")


@pytest.mark.parametrize("content", [b"", b"not gzip", EMBEDDED.read_bytes()[:1000]])
def test_embedded_data_that_are_damaged_are_rejected(tmp_path, monkeypatch, content):
    damaged = tmp_path / "damaged.csv.gz"
    damaged.write_bytes(content)
    monkeypatch.setattr("training.data.EMBEDDED", damaged)

    with pytest.raises(DataError, match=r"damaged\.csv\.gz must "):
        load_dataset("embedded")


def test_a_damaged_cache_of_scikit_learn_is_rejected(tmp_path, monkeypatch):
    (tmp_path / "cal_housing_py3.pkz").write_bytes(b"half a download")
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))

    with pytest.raises(DataError, match="--data sklearn must be able to download"):
        load_dataset("sklearn")


def test_a_file_of_census_columns_gives_the_embedded_rows(embedded, tmp_path):
    path = tmp_path / "census.csv"
    path.write_bytes(gzip.decompress(EMBEDDED.read_bytes()))

    from_file = load_dataset(str(path))

    assert_array_equal(from_file.rows, embedded.rows)
    assert_array_equal(from_file.targets, embedded.targets)
    assert from_file.source.sha256 == embedded.source.sha256
    assert from_file.source.name == "census.csv"


def test_a_file_of_features_may_have_other_columns_blank_lines_and_any_order(write):
    columns = [f'"{name}"' for name in (*FEATURE_NAMES, "MedHouseVal")]
    header = ",".join(["ocean_proximity", *reversed(columns)])
    line = ",".join(["NEAR BAY", *reversed(FEATURE_LINE.split(","))])

    dataset = load_dataset(write("\ufeff" + header, line, "", end="\r\n"))

    assert_array_equal(dataset.rows, [[8.3252, 41, 6.9, 1.02, 322, 2.55, 37.88, -122.23]])
    assert_array_equal(dataset.targets, [4.526])


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([CENSUS_HEADER.replace("median_income", "income"), CENSUS_LINE], "line 1: the header must "
         "have the column median_income, but it is missing"),
        ([FEATURE_HEADER.replace("AveOccup,", ""), FEATURE_LINE], "the column AveOccup"),
        ([FEATURE_HEADER + ",MedInc", FEATURE_LINE + ",1"], "line 1: the header must have the "
         "column MedInc once, got it 2 times"),
        ([CENSUS_HEADER, CENSUS_LINE, CENSUS_LINE.replace("880", "many")],
         "line 3, column total_rooms: must be a finite number, got 'many'"),
        ([CENSUS_HEADER, CENSUS_LINE.replace("129", "NaN")], "line 2, column total_bedrooms"),
        ([CENSUS_HEADER, CENSUS_LINE.replace("129", "")], "line 2, column total_bedrooms"),
        ([CENSUS_HEADER, CENSUS_LINE.replace("129", "1_2")], "line 2, column total_bedrooms"),
        ([CENSUS_HEADER, CENSUS_LINE.replace("129", "1e999")], "line 2, column total_bedrooms"),
        ([CENSUS_HEADER, CENSUS_LINE.replace("126", "0")],
         "line 2, column AveRooms (total_rooms / households): must be a number above 0"),
        ([CENSUS_HEADER, CENSUS_LINE.replace("126", "1e-308")], "line 2, column AveRooms"),
        ([FEATURE_HEADER, FEATURE_LINE, FEATURE_LINE.replace("8.3252", "-5")],
         "line 3, column MedInc: must be a number from 0 to 100 (10,000 USD), got -5"),
        ([FEATURE_HEADER, FEATURE_LINE.replace("4.526", "452600")],
         "line 2, column MedHouseVal (median_house_value / 100000): must be a number above 0"),
        ([CENSUS_HEADER.upper(), CENSUS_LINE], "must have the column longitude"),
        ([FEATURE_HEADER.lower(), FEATURE_LINE], "must have the column MedInc"),
        ([CENSUS_HEADER, CENSUS_LINE, CENSUS_LINE + ",1"],
         "line 3: must have 9 cells like the header, got 10"),
        ([CENSUS_HEADER], "must have rows below its header, got none"),
        ([], "is empty; expected a header line with MedInc, HouseAge, ..."),
        (["\0" * 10], "line 1: the header must have the column"),
        ([CENSUS_HEADER, '"' + "x" * 200_000], "must be CSV in UTF-8"),
    ],
)  # fmt: skip
def test_the_error_for_an_invalid_file_names_file_column_and_line(write, lines, says):
    path = write(*lines)

    with pytest.raises(DataError, match=re.escape(says)) as error:
        load_dataset(path)

    assert path in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_a_directory_and_a_binary_file_are_rejected(tmp_path):
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")

    for path, says in [
        (tmp_path / "absent.csv", "No such file"),
        (tmp_path, "Is a directory"),
        (binary, "must be CSV in UTF-8"),
    ]:
        with pytest.raises(DataError, match=says):
            load_dataset(str(path))
