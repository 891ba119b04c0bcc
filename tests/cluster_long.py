"""python -m tests.cluster_long: how many rows a second one worker scores, and two.

Each worker is a process of one thread. The rows are those of the data set, over and over, each a
little different, in Parquet files of a temporary directory. HOUSING_CLUSTER_ROWS says how many
(20,000,000); the champion gets one in a hundred of them.
"""

import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import distributed
import numpy as np
import pyarrow as pa
from pyarrow import parquet

from app.cluster.run import Totals, score_on_cluster
from app.cluster.sent_model import send
from app.loaded_models import load_models
from models import SAVED_MODELS
from models.arrays import FloatArray
from models.features import FEATURE_NAMES
from models.house_price import HousePriceModel
from models.storage import load_model
from tests.cluster import Cluster, cluster_of

ROWS = int(os.environ.get("HOUSING_CLUSTER_ROWS", "20000000"))
ROUNDS = 3
LEAST_RATIO = 1.7
BLOCK_BYTES = 32 * 2**20
FILES = 40  # each smaller than a block at twenty million rows: a partition
JITTER = np.array([0.01, 0.0, 0.01, 0.01, 0.01, 0.01, 1e-5, 1e-5])  # keeps within the bounds
SEED = 10


def make_rows(count: int, *, rng: np.random.Generator) -> FloatArray:
    """Rows (count, 8) like those of the data set, no two the same."""
    known = load_model(SAVED_MODELS / "champion").model.encoder.reference_rows
    rows = known[rng.integers(len(known), size=count)]
    return rows * (1.0 + JITTER * np.clip(rng.normal(size=rows.shape), -4.0, 4.0))


def write_files(directory: Path, count: int) -> None:
    """Parquet files that have so many rows together."""
    directory.mkdir()
    rng = np.random.default_rng(SEED)
    for index in range(FILES):
        rows = make_rows(count // FILES, rng=rng)
        table = pa.table(dict(zip(FEATURE_NAMES, rows.T, strict=True)))
        parquet.write_table(table, directory / f"{index:02}.parquet")


def bare_rate(model: HousePriceModel, count: int) -> float:
    """Rows a second of encoder and network alone, from an array in memory to another."""
    rows = make_rows(count, rng=np.random.default_rng(SEED))
    began = time.perf_counter()
    model.network.predict(model.encoder.transform(rows))
    return count / (time.perf_counter() - began)


def run(name: str, directory: Path, cluster: Cluster) -> Totals:
    """Score the files; the answers are removed again."""
    output = directory / "out"
    totals = score_on_cluster(
        f"{directory}/in/*.parquet",
        str(output),
        send(SAVED_MODELS / name, load_models(SAVED_MODELS, name).default),
        level=0.9,
        errors=False,
        cluster=cluster.address,
        block_bytes=BLOCK_BYTES,
    )
    shutil.rmtree(output)
    return totals


def measure(name: str, count: int) -> bool:
    """Print the rates of a model, in rounds that take turns; whether two workers are enough."""
    model = load_models(SAVED_MODELS, name).default.saved.model
    rates: dict[str, list[float]] = {"bare": [], "one": [], "two": []}
    with ExitStack() as stack:
        directories = {
            each: Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for each in ("one", "two")
        }
        data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_files(data / "in", count)
        clusters = {
            each: stack.enter_context(cluster_of(workers, directories[each]))
            for workers, each in ((1, "one"), (2, "two"))
        }
        for cluster in clusters.values():  # imports, and reads the files into memory
            run(name, data, cluster)
        for _ in range(ROUNDS):
            rates["bare"].append(bare_rate(model, count // FILES))
            for each, cluster in clusters.items():
                totals = run(name, data, cluster)
                if (totals.rows, totals.refused, totals.skipped) != (count, 0, 0):
                    raise AssertionError(f"{count:,} rows must be scored, however: {totals}")
                rates[each].append(totals.rows / totals.seconds)
    bare, one, two = (statistics.median(rates[each]) for each in ("bare", "one", "two"))
    print(
        f"| {name} | {count:,} | {bare:,.0f} | {one:,.0f} | {two:,.0f} | {two / one:.2f} "
        f"| {one / bare:.2f} | {two / 2 / bare:.2f} |",
        flush=True,
    )
    return two / one >= LEAST_RATIO


def main() -> int:
    """The exit status is 1 where the notebook's second worker adds too little."""
    print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"Dask {distributed.__version__}, {datetime.now(UTC):%Y-%m-%d}; medians of {ROUNDS} "
        "rounds, rows a second\n\n"
        "| model | rows | forward pass alone, one core | one worker | two workers | two / one "
        "| one / alone | a core of two / alone |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        flush=True,
    )
    enough = measure("notebook", ROWS // FILES * FILES)
    measure("champion", ROWS // 100 // FILES * FILES)
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
