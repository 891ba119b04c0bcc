"""python -m benchmarks.batches: 10,000 rows in each form, beside the least that they could take.

That is the bare forward pass, and the fastest parser known for the same bytes; both in this
process, without HTTP, checks, intervals or an answer. The server has a core of its own.
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

from app.inference.formats.floats import to_floats
from benchmarks.ratios import circumstances, in_turn, ratio
from benchmarks.running import ours, running
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
class Form:
    """Rows as the bytes of a request, and how its fastest known parser reads them."""

    name: str
    path: str
    headers: dict[str, str]
    body: bytes
    parse: Callable[[bytes], FloatArray]


def forms(rows: FloatArray) -> list[Form]:
    """Rows (n, 8) in each form."""
    columns = dict(zip(FEATURE_NAMES, rows.T.tolist(), strict=True))
    lines = [",".join(FEATURE_NAMES), *(",".join(map(repr, row)) for row in rows.tolist())]
    sink = io.BytesIO()
    batch = pa.record_batch([*map(pa.array, rows.T)], names=[*FEATURE_NAMES])
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    json_columns = json.dumps(columns).encode()
    raw = {"Inference-Header-Content-Length": "0"}
    return [
        Form("JSON columns", BATCH, {"Content-Type": "application/json"}, json_columns, _orjson),
        Form("CSV", BATCH, {"Content-Type": "text/csv"}, "\n".join(lines).encode(), _arrow_csv),
        Form("Arrow", BATCH, {"Content-Type": ARROW}, sink.getvalue(), _arrow),
        Form("V2 binary", "/v2/models/notebook/infer", raw, rows.tobytes(), _doubles),
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
    """The median time of doing it a few times."""
    times = []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def read_and_predict(predict: Callable[[FloatArray], FloatArray], form: Form) -> None:
    """The least that there is to do."""
    predict(form.parse(form.body))


def exchange(connection: http.client.HTTPConnection, form: Form) -> None:
    """One request and its whole answer."""
    connection.request("POST", form.path, form.body, form.headers)
    response = connection.getresponse()
    answer = response.read()
    if response.status != http.client.OK:
        raise RuntimeError(f"{form.name} must be answered, however: {answer!r:.200}")


def main() -> None:
    """Print a line for each form."""
    os.sched_setaffinity(0, {1})
    predict = load_model(SAVED_MODELS / "notebook").model.predict
    print(f"{circumstances('fastapi', 'numpy', 'orjson', 'pyarrow')}; ", end="")
    print(f"{ROWS:,} rows, median of {ROUNDS} rounds of {REQUESTS} requests\n")
    print("| | least, ms | whole request, ms | ratio |\n| --- | ---: | ---: | ---: |")
    with running(ours("this service", "--default", "notebook")) as (url, _, _):
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        for form in forms(load_dataset("embedded").rows[:ROWS]):
            measures = {
                "least": partial(milliseconds, partial(read_and_predict, predict, form)),
                "whole": partial(milliseconds, partial(exchange, connection, form)),
            }
            figures = in_turn(measures, ROUNDS)
            least, whole = (statistics.median(figures[name]) for name in ("least", "whole"))
            told = ratio(figures, "whole", "least")
            print(f"| {form.name} | {least:.2f} | {whole:.2f} | {told} |", flush=True)


if __name__ == "__main__":
    main()
