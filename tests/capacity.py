"""python -m tests.capacity: the README's tables of what one process, two and three replicas do.

Wants wrk, curl and HAProxy, and a machine that does nothing else.
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
BUSY = 0.7  # of a core, as the autoscaler has it
REPLICA_MEBIBYTES = 128  # as deploy/kubernetes asks for


def main():
    with TemporaryDirectory() as name:
        directory = Path(name)
        write_what_is_sent(directory)
        with serving() as server:
            asked = per_replica, *_ = ask(server.url, directory)
            tell(asked, server.url, [[server.process.pid]], directory)
        with serving("--workers", "2") as server:
            asked = ask(server.url, directory)
            tell(asked, server.url, [server.workers, [server.process.pid]], directory)
        with Replicas(SAVED_MODELS) as replicas, proxy_of(replicas.addresses, directory) as proxy:
            before = processor_seconds(proxy.process)
            asked = rate, *_ = ask(proxy.url, directory)
            used = processor_seconds(proxy.process) - before
            pids = [server.process.pid for server in replicas.servers]
            tell(asked, proxy.url, [pids, [proxy.process.pid]], directory)
    per_request = round(used / (rate * SECONDS) * 1e6)
    print(f"The proxy takes {per_request} us for a request.")
    for rate in (1_000, 100_000, 1_000_000):
        print(capacity(rate, round(per_replica), per_request))


def tell(asked, url, pids, directory):
    """A line of the README: what those processes do of which the first answer."""
    rate, median, slow = asked
    memory = sum(map(mebibytes, chain(*pids)))
    rows = score(url, len(pids[0]), directory)
    print(f"| {rate:,.0f} | {median}, {slow} | {memory:.0f} | {rows:,.0f} |", flush=True)


def capacity(rate, per_replica, per_request):
    """The README's line for so many requests a second."""
    replicas = ceil(rate / (per_replica * BUSY)) + 1
    memory = replicas * REPLICA_MEBIBYTES / 1024
    proxies = rate * per_request / 1e6
    return f"| {rate:,} | {replicas:,} | {memory:,.1f} | {proxies:,.1f} |"


def write_what_is_sent(directory):
    (directory / "predict.lua").write_text(
        f"wrk.method, wrk.body = 'POST', '{json.dumps(ROW)}'\n"
        "wrk.headers['content-type'] = 'application/json'\n"
    )
    rows = "\n".join(",".join(map(repr, row)) for row in load_dataset("embedded").rows.tolist())
    batch = "\n".join([",".join(FEATURE_NAMES), rows, ""])
    (directory / "rows.csv").write_text(batch)


def ask(url, directory):
    """Requests a second, one row each, the median time and that of the slowest in a hundred."""
    told = subprocess.run(
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
    assert "Non-2xx" not in told, told
    times = (re.search(rf"{percent}%\s+(\d\S+)", told)[1] for percent in (50, 99))
    return float(re.search(r"Requests/sec:\s+(\S+)", told)[1]), *times


def score(url, streams, directory):
    """CSV rows a second, of as many batches at once as there are processes for them."""
    curl = [
        *(find_program("curl", package="curl"), "--silent", "--show-error", "--fail"),
        *("--request", "POST", "--header", "content-type: text/csv"),
        *("--upload-file", directory / "rows.csv", f"{url}/predict/batch"),
    ]
    started = time.monotonic()
    answers = [directory / f"answers-{number}.csv" for number in range(streams)]
    running = [subprocess.Popen([*curl, "--output", answer]) for answer in answers]
    assert [process.wait(timeout=600) for process in running] == [0] * streams
    seconds = time.monotonic() - started
    return sum(answer.read_bytes().count(b"\n") - 1 for answer in answers) / seconds


def mebibytes(pid):
    """What a process holds, its share of what it has in common with others (PSS)."""
    told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", told, re.MULTILINE)[1]) / 1024


if __name__ == "__main__":
    main()
