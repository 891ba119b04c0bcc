"""python -m training.block_groups: pack the embedded block groups for the page's map.

The file is one gzip member. Its content is little-endian:

    uint32                  length of the header
    header                  JSON: counts, and the scale of each column
    int16 (places, 2)       latitude and longitude in hundredths of a degree, the data's precision,
                            as differences from the previous place
    uint8 (places)          number of block groups at each place
    uint8 (7, block groups) one column after another: six features and the value, in steps

The steps of a column are equally spaced, on a logarithmic scale if the header says "log". A "log"
column ranges from the 0.1st to the 99.9th percentile; values beyond are clipped.
"""

import json
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import FloatArray
from models.atomic_file import write_atomically
from models.features import FEATURE_NAMES, FEATURES, TARGET, Column
from training.data import DataError, Dataset, load_dataset
from training.options import fail

COMMAND = "python -m training.block_groups"
FILE = Path(__file__).parents[1] / "app" / "static" / "block-groups.bin"

PLACE = [FEATURE_NAMES.index(name) for name in ("Latitude", "Longitude")]
MAX_STEPS = 255  # the largest uint8
LINEAR = {"HouseAge": 51, TARGET.name: MAX_STEPS}  # one step per year, from 1 to 52
TAILS = (0.1, 99.9)  # percent
GZIP_HEADER = b"\x1f\x8b\x08\0" + bytes(4) + b"\x02\x03"  # no time, best compression, Unix


def pack(dataset: Dataset) -> bytes:
    """Pack a data set as the content of the file, uncompressed."""
    hundredths = np.rint(dataset.rows[:, PLACE] * 100).astype(np.int16)
    order = np.lexsort(hundredths.T[::-1])  # by place: adjacent rows compress well
    places, counts = np.unique(hundredths, axis=0, return_counts=True)
    differences = np.diff(places, axis=0, prepend=np.zeros((1, 2), np.int16))
    columns, steps = [], []
    for column, values in _columns(dataset):
        description, column_steps = _quantise(column, values)
        columns.append(description)
        steps.append(column_steps[order])
    header = json.dumps(
        {
            "blockGroups": len(dataset.rows),
            "places": len(places),
            "sha256": dataset.source.sha256,
            "columns": columns,
            "marks": {
                feature.name: np.percentile(values, [1, 99]).tolist()
                for feature, values in zip(FEATURES, dataset.rows.T, strict=True)
            },
        }
    ).encode()
    return b"".join(
        [
            len(header).to_bytes(4, "little"),
            header,
            differences.astype("<i2").tobytes(),
            counts.astype(np.uint8).tobytes(),
            *(column_steps.tobytes() for column_steps in steps),
        ]
    )


def _columns(dataset: Dataset) -> list[tuple[Column, FloatArray]]:
    """Return all columns but latitude and longitude."""
    features = [
        (feature, values)
        for index, (feature, values) in enumerate(zip(FEATURES, dataset.rows.T, strict=True))
        if index not in PLACE
    ]
    return [*features, (TARGET, dataset.targets)]


def _quantise(column: Column, values: FloatArray) -> tuple[dict[str, Any], npt.NDArray[np.uint8]]:
    """Return a column's description for the header, and its values (n,) as steps."""
    linear = column.name in LINEAR
    count = LINEAR.get(column.name, MAX_STEPS)
    low, high = np.percentile(values, [0, 100] if linear else TAILS)
    scaled = values if linear else np.log(values)
    start, end = (low, high) if linear else np.log([low, high])
    steps = np.clip(np.rint((scaled - start) / (end - start) * count), 0, count)
    description = {
        "name": column.name,
        "scale": "linear" if linear else "log",
        "minimum": float(low),
        "maximum": float(high),
        "steps": count,
    }
    return description, steps.astype(np.uint8)


def to_gzip(content: bytes) -> bytes:
    """One gzip member with a fixed header; that of gzip.compress depends on the Python version."""
    return GZIP_HEADER + zlib.compress(content, 9, wbits=16 + zlib.MAX_WBITS)[len(GZIP_HEADER) :]


def main() -> int:
    """Write the file; return the exit status."""
    try:
        content = to_gzip(pack(load_dataset("embedded")))
        write_atomically(FILE, content)
    except DataError as error:
        return fail(COMMAND, error, 2)
    except OSError as error:
        return fail(COMMAND, f"{FILE} must be writable: {error.strerror}", 2)
    print(f"{FILE.name}: {len(content):,} bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
