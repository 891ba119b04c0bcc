"""python -m benchmarks.batches: 10,000 rows in each format, relative to a lower bound.

The lower bound is the fastest known parser of the same bytes and the bare forward pass, in this
process, without HTTP, validation, intervals or a response. The server has its own core.
"""

import http.client
import io
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import orjson
import pyarrow as pa
from pyarrow import csv

from app.inference.rows import to_floats
from benchmarks.ratios import alternate, conditions, ratio
from benchmarks.running import running, this_service
from models import SAVED_MODELS
from models.arrays import FloatArray
from models.features import FEATURE_NAMES
from models.saved_model.storage import load_model
from training.data import load_dataset

BATCH, ARROW = "/predict/batch", "application/vnd.apache.arrow.stream"
ROWS = 10_000
ROUNDS = 7
REQUESTS = 20  # a round's figure is their median


@dataclass(frozen=True, slots=True)
class Payload:
    """A request body in one format, and the fastest known parser of it."""

    name: str
    path: str
    headers: dict[str, str]
    body: bytes
    parse: Callable[[bytes], FloatArray]


def payloads(rows: FloatArray) -> list[Payload]:
    """Encode rows (n, 8) in each format."""
    columns = dict(zip(FEATURE_NAMES, rows.T.tolist(), strict=True))
    lines = [",".join(FEATURE_NAMES), *(",".join(map(repr, row)) for row in rows.tolist())]
    sink = io.BytesIO()
    batch = pa.record_batch([*map(pa.array, rows.T)], names=[*FEATURE_NAMES])
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    json_columns = json.dumps(columns).encode()
    raw = {"Inference-Header-Content-Length": "0"}
    return [
        Payload("JSON columns", BATCH, {"Content-Type": "application/json"}, json_columns, _orjson),
        Payload("CSV", BATCH, {"Content-Type": "text/csv"}, "\n".join(lines).encode(), _arrow_csv),
        Payload("Arrow", BATCH, {"Content-Type": ARROW}, sink.getvalue(), _arrow),
        Payload("V2 binary", "/v2/models/notebook/infer", raw, rows.tobytes(), _doubles),
    ]


def _orjson(body: bytes) -> FloatArray:
    columns = orjson.loads(body)
    return np.array([to_floats(columns[name]) for name in FEATURE_NAMES]).T


def _arrow_csv(body: bytes) -> FloatArray:
    return _matrix(csv.read_csv(io.BytesIO(body)))


def _arrow(body: bytes) -> FloatArray:
    return _matrix(pa.ipc.open_stream(body).read_all())


def _matrix(table: pa.Table) -> FloatArray:
    return np.column_stack([table[name].to_numpy() for name in FEATURE_NAMES])


def _doubles(body: bytes) -> FloatArray:
    return np.frombuffer(body).reshape(-1, len(FEATURE_NAMES))


def milliseconds(work: Callable[[], object]) -> float:
    """Return the median time of several calls, ms."""
    times = []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def read_and_predict(predict: Callable[[FloatArray], FloatArray], payload: Payload) -> None:
    """Compute the lower bound: parse the body and predict."""
    predict(payload.parse(payload.body))


def exchange(connection: http.client.HTTPConnection, payload: Payload) -> None:
    """Send one request and read the whole response."""
    connection.request("POST", payload.path, payload.body, payload.headers)
    response = connection.getresponse()
    body = response.read()
    if response.status != http.client.OK:
        raise RuntimeError(
            f"{payload.name} must get status 200, got {response.status}: {body!r:.200}"
        )


def main() -> None:
    """Print a row for each format."""
    os.sched_setaffinity(0, {1})
    predict = load_model(SAVED_MODELS / "notebook").model.predict
    print(f"{conditions('fastapi', 'numpy', 'orjson', 'pyarrow')}; ", end="")
    print(f"{ROWS:,} rows, median of {ROUNDS} rounds of {REQUESTS} requests\n")
    print("| | lower bound, ms | whole request, ms | ratio |\n| --- | ---: | ---: | ---: |")
    with running(this_service("this service", "--default", "notebook")) as (url, _, _):
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        for payload in payloads(load_dataset("embedded").rows[:ROWS]):
            measures = {
                "bound": partial(milliseconds, partial(read_and_predict, predict, payload)),
                "whole": partial(milliseconds, partial(exchange, connection, payload)),
            }
            figures = alternate(measures, ROUNDS)
            bound, whole = (statistics.median(figures[name]) for name in ("bound", "whole"))
            relative = ratio(figures, "whole", "bound")
            print(f"| {payload.name} | {bound:.2f} | {whole:.2f} | {relative} |", flush=True)


if __name__ == "__main__":
    main()
