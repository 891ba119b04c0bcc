"""python -m tests.capacity: the README's tables of the capacity of one process, two and three replicas.

Needs wrk, curl, HAProxy and an otherwise idle machine.
"""

import json
import re
import subprocess
import time
from itertools import chain
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

from models import SAVED_MODELS
from models.features import FEATURE_NAMES
from tests.support.processes import processor_seconds
from tests.support.programs import find_program
from tests.support.replicas import Replicas, proxy_of
from tests.support.rows import ROW
from tests.support.servers import serving
from training.data import load_dataset

SECONDS = 10
CONNECTIONS = 16
BUSY = 0.7  # of a core, the target of the autoscaler
REPLICA_MEBIBYTES = 128  # the memory request in deploy/kubernetes


def main():
    with TemporaryDirectory() as name:
        directory = Path(name)
        write_request_files(directory)
        with serving() as server:
            measured = per_replica, *_ = measure_requests(server.url, directory)
            print_row(measured, server.url, [[server.process.pid]], directory)
        with serving("--workers", "2") as server:
            measured = measure_requests(server.url, directory)
            print_row(measured, server.url, [server.workers, [server.process.pid]], directory)
        with Replicas(SAVED_MODELS) as replicas, proxy_of(replicas.addresses, directory) as proxy:
            before = processor_seconds(proxy.process)
            measured = rate, *_ = measure_requests(proxy.url, directory)
            used = processor_seconds(proxy.process) - before
            pids = [server.process.pid for server in replicas.servers]
            print_row(measured, proxy.url, [pids, [proxy.process.pid]], directory)
    per_request = round(used / (rate * SECONDS) * 1e6)
    print(f"The proxy uses {per_request} us of CPU time per request.")
    for rate in (1_000, 100_000, 1_000_000):
        print(capacity(rate, round(per_replica), per_request))


def print_row(measured, url, pids, directory):
    """Print a row of the README's table. The first list of `pids` has the processes that predict."""
    rate, median, p99 = measured
    memory = sum(map(resident_mebibytes, chain(*pids)))
    rows = measure_rows(url, len(pids[0]), directory)
    print(f"| {rate:,.0f} | {median}, {p99} | {memory:.0f} | {rows:,.0f} |", flush=True)


def capacity(rate, per_replica, per_request):
    """The row of the README's table for a rate, in requests per second."""
    replicas = ceil(rate / (per_replica * BUSY)) + 1
    memory = replicas * REPLICA_MEBIBYTES / 1024
    proxies = rate * per_request / 1e6
    return f"| {rate:,} | {replicas:,} | {memory:,.1f} | {proxies:,.1f} |"


def write_request_files(directory):
    (directory / "predict.lua").write_text(
        f"wrk.method, wrk.body = 'POST', '{json.dumps(ROW)}'\n"
        "wrk.headers['content-type'] = 'application/json'\n"
    )
    rows = "\n".join(",".join(map(repr, row)) for row in load_dataset("embedded").rows.tolist())
    batch = "\n".join([",".join(FEATURE_NAMES), rows, ""])
    (directory / "rows.csv").write_text(batch)


def measure_requests(url, directory):
    """Measure requests per second of one row each, and the median and 99th percentile of their time."""
    output = subprocess.run(
        [
            *(find_program("wrk", package="wrk"), "--latency", "--threads", "1"),
            *("--connections", str(CONNECTIONS), "--duration", f"{SECONDS}s"),
            *("--script", directory / "predict.lua", f"{url}/predict"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert "Non-2xx" not in output, output
    times = (re.search(rf"{percent}%\s+(\d\S+)", output)[1] for percent in (50, 99))
    return float(re.search(r"Requests/sec:\s+(\S+)", output)[1]), *times


def measure_rows(url, streams, directory):
    """Measure CSV rows per second with `streams` concurrent batches."""
    curl = [
        *(find_program("curl", package="curl"), "--silent", "--show-error", "--fail"),
        *("--request", "POST", "--header", "content-type: text/csv"),
        *("--upload-file", directory / "rows.csv", f"{url}/predict/batch"),
    ]
    started = time.monotonic()
    outputs = [directory / f"outputs-{number}.csv" for number in range(streams)]
    running = [subprocess.Popen([*curl, "--output", output]) for output in outputs]
    assert [process.wait(timeout=600) for process in running] == [0] * streams
    seconds = time.monotonic() - started
    return sum(output.read_bytes().count(b"\n") - 1 for output in outputs) / seconds


def resident_mebibytes(pid):
    """The memory of a process with its share of pages shared with others (PSS)."""
    output = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", output, re.MULTILINE)[1]) / 1024


if __name__ == "__main__":
    main()
