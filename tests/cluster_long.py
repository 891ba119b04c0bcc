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

from app.cluster.model_payload import pack
from app.cluster.run import Totals, score_on_cluster
from app.inference.registry import load_models
from models import SAVED_MODELS
from models.arrays import FloatArray
from models.features import FEATURE_NAMES
from models.house_price import HousePriceModel
from models.saved_model.storage import load_model
from tests.support.cluster import Cluster, cluster_of

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
    """Rows a processor second of encoder and network alone, from an array in memory to another."""
    rows = make_rows(count, rng=np.random.default_rng(SEED))
    began = time.process_time()
    model.network.predict(model.encoder.transform(rows))
    return count / (time.process_time() - began)


def run(name: str, directory: Path, cluster: Cluster) -> Totals:
    """Score the files; the answers are removed again."""
    output = directory / "out"
    totals = score_on_cluster(
        f"{directory}/in/*.parquet",
        str(output),
        pack(SAVED_MODELS / name, load_models(SAVED_MODELS, name).default),
        level=0.9,
        error_column=False,
        cluster=cluster.address,
        block_bytes=BLOCK_BYTES,
    )
    shutil.rmtree(output)
    return totals


def measure(name: str, count: int) -> bool:
    """Print the rates of a model, in rounds that take turns; whether two workers are enough."""
    model = load_models(SAVED_MODELS, name).default.saved.model
    rates: dict[str, list[float]] = {"bare": [], "one": [], "two": []}
    per_core: dict[str, list[float]] = {"one": [], "two": []}
    with ExitStack() as stack:
        directories = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(3)]
        write_files(directories[0] / "in", count)
        clusters = {
            "one": stack.enter_context(cluster_of(1, directories[1])),
            "two": stack.enter_context(cluster_of(2, directories[2])),
        }
        for cluster in clusters.values():  # imports, and reads the files into memory
            run(name, directories[0], cluster)
        for _ in range(ROUNDS):
            rates["bare"].append(bare_rate(model, count // 10))
            for each, cluster in clusters.items():
                used = cluster.processor_seconds()
                totals = run(name, directories[0], cluster)
                if (totals.rows, totals.rejected, totals.skipped) != (count, 0, 0):
                    raise AssertionError(f"{count:,} rows must be scored, however: {totals}")
                rates[each].append(count / totals.seconds)
                per_core[each].append(count / (cluster.processor_seconds() - used))
    bare, one, two = (statistics.median(rates[each]) for each in ("bare", "one", "two"))
    shares = [statistics.median(per_core[each]) / bare for each in ("one", "two")]
    print(
        f"| {name} | {count:,} | {one:,.0f} | {two:,.0f} | {two / one:.2f} "
        f"| {bare:,.0f} | {shares[0]:.2f} | {shares[1]:.2f} |",
        flush=True,
    )
    return two / one >= LEAST_RATIO


def main() -> int:
    """The exit status is 1 where the notebook's second worker adds too little."""
    print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"Dask {distributed.__version__}, {datetime.now(UTC):%Y-%m-%d}; medians of {ROUNDS} "
        f"rounds; {os.getloadavg()[0]:.1f} other processes ran when it began\n\n"
        "| model | rows | one worker, rows/s | two workers, rows/s | ratio "
        "| forward pass alone, rows a processor second | one worker's share of that "
        "| each of two workers' |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        flush=True,
    )
    enough = measure("notebook", ROWS // FILES * FILES)
    measure("champion", ROWS // 100 // FILES * FILES)
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
