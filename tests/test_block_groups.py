"""The file of block groups, decoded by a second implementation of the documented format."""

import gzip
import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.features import FEATURE_NAMES, TARGET
from training.block_groups import FILE, main, pack
from training.data import load_dataset

PLACE = [FEATURE_NAMES.index(name) for name in ("Latitude", "Longitude")]


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("embedded")


def unpack(content):
    """The header, the places (n, 2) in degrees, and the columns, each in its own unit."""
    start = 4 + int.from_bytes(content[:4], "little")
    header = json.loads(content[4:start])
    count, places = header["blockGroups"], header["places"]
    counts_at = start + 4 * places
    hundredths = np.frombuffer(content[start:counts_at], "<i2").reshape(places, 2).cumsum(axis=0)
    counts = np.frombuffer(content[counts_at : counts_at + places], np.uint8)
    columns, at = {}, counts_at + places
    for column in header["columns"]:
        share = np.frombuffer(content[at : at + count], np.uint8) / column["steps"]
        low, high = column["minimum"], column["maximum"]
        columns[column["name"]] = (
            low * (high / low) ** share if column["scale"] == "log" else low + (high - low) * share
        )
        at += count
    assert at == len(content)
    return header, np.repeat(hundredths, counts, axis=0) / 100, columns


def test_the_committed_file_is_what_the_command_writes(dataset):
    content = gzip.decompress(FILE.read_bytes())

    assert content == pack(dataset)
    assert len(FILE.read_bytes()) < 200_000


def test_every_block_group_keeps_its_place_and_its_values(dataset):
    header, places, columns = unpack(pack(dataset))
    order = np.lexsort(dataset.rows[:, PLACE].T[::-1])

    assert len(places) == header["blockGroups"] == 20_640
    assert_allclose(places, dataset.rows[order][:, PLACE], rtol=0, atol=1e-9)
    for name, values in columns.items():
        true = dataset.targets if name == TARGET.name else dataset.rows.T[FEATURE_NAMES.index(name)]
        if name == "HouseAge":
            assert_allclose(values, true[order], rtol=0, atol=1e-9)
        elif name == TARGET.name:
            assert_allclose(values, true[order], rtol=0, atol=0.01)
        else:
            low, high = np.percentile(true, [0.1, 99.9])
            assert_allclose(values, np.clip(true[order], low, high), rtol=0.013)


def test_the_marks_are_the_first_and_ninety_ninth_percentiles(dataset):
    header, _, _ = unpack(pack(dataset))

    for name, values in zip(FEATURE_NAMES, dataset.rows.T, strict=True):
        low, high = header["marks"][name]
        one = 1 / len(values)
        assert (values < low).mean() - one <= 0.01 <= (values <= low).mean() + one
        assert (values > high).mean() - one <= 0.01 <= (values >= high).mean() + one


def test_the_command_writes_the_file_atomically(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("training.block_groups.FILE", tmp_path / "map.bin")
    assert main() == 0
    assert (tmp_path / "map.bin").read_bytes() == FILE.read_bytes()

    monkeypatch.setattr("training.block_groups.FILE", tmp_path / "nowhere" / "map.bin")
    assert main() == 2
    assert "must be writable: No such file or directory" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["map.bin"]
