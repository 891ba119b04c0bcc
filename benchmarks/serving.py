"""python -m benchmarks.serving: throughput, CPU time, latency, relative to the floor and FastAPI.

The server runs on one core and wrk on the other; two workers share their cores with wrk.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from app.access.api_keys import key_line, new_key
from benchmarks.ratios import alternate, conditions, table
from benchmarks.running import Contender, cpu_list, cpu_seconds, running, this_service, uvicorn

T = TypeVar("T")

ROUNDS = 7
SECONDS = 3
CONNECTIONS = 32
MICROSECONDS = {"us": 1.0, "ms": 1e3, "s": 1e6}
ORIGIN = "https://page.example"

FLOOR, PLAIN = uvicorn("the floor", "floor"), uvicorn("plain FastAPI", "plain_fastapi")
NOTEBOOK = this_service("this service, notebook", "--default", "notebook")
CHAMPION = this_service("this service, champion")


class Throughput(NamedTuple):
    """One run with many connections."""

    requests_per_second: float
    cpu_microseconds: float  # of the server, for each request


@contextmanager
def every_option() -> Iterator[Contender]:
    """Yield the notebook service with the options of production."""
    with tempfile.TemporaryDirectory() as directory:
        file, key = Path(directory, "keys"), new_key()
        file.write_text(key_line("bench", key))
        contender = this_service(
            "this service, notebook, API keys, hosts, CORS and access log",
            *("--default", "notebook", "--api-keys-file", str(file), "--access-log", "json"),
            *("--allowed-hosts", "127.0.0.1", "--cors-origins", ORIGIN),
        )
        headers = (f"Authorization: Bearer {key}", f"Origin: {ORIGIN}")
        yield replace(contender, headers=headers)


def workers(model: str, *, apart: bool) -> tuple[Contender, Contender]:
    """Return one worker on one core, and two workers on two cores.

    Apart, wrk runs on the second core, which the second worker shares. Otherwise, wrk runs on every
    worker's core.
    """
    one = this_service(f"1 worker, {model}", "--default", model)
    two = replace(
        this_service(f"2 workers, {model}", "--default", model, "--workers", "2"),
        cores=frozenset({0, 1}),
    )
    if apart:
        return one, two
    return replace(one, load_cores=one.cores), replace(two, load_cores=two.cores)


def wrk(url: str, contender: Contender, connections: int) -> str:
    """Run wrk and return its output; raises RuntimeError if a request failed."""
    cores, threads = cpu_list(contender.load_cores), str(len(contender.load_cores))
    command = ["taskset", "--cpu-list", cores, "wrk", "--threads", threads, "--latency"]
    command += ["--connections", str(connections), "--duration", f"{SECONDS}s"]
    command += ["--script", str(contender.script)]
    command += [word for header in contender.headers for word in ("--header", header)]
    command.append(url + contender.path)
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"{contender.name} must answer every request with 2xx, got:\n{output}")
    return output


def throughput(url: str, pid: int, contender: Contender) -> Throughput:
    """Measure a run with many connections."""
    before = cpu_seconds(pid)
    output = wrk(url, contender, CONNECTIONS)
    seconds = cpu_seconds(pid) - before
    rate = re.search(r"Requests/sec: +([\d.]+)", output)
    count = re.search(r"(\d+) requests in", output)
    assert rate
    assert count
    return Throughput(float(rate[1]), seconds / int(count[1]) * 1e6)


def median_latency(url: str, _pid: int, contender: Contender) -> float:
    """Measure the median latency with one connection, us."""
    found = re.search(r" 50% +([\d.]+)(us|ms|s)", wrk(url, contender, 1))
    assert found
    return float(found[1]) * MICROSECONDS[found[2]]


def measure(
    contenders: Sequence[Contender],
    figure: Callable[[str, int, Contender], T],
    rounds: int = ROUNDS,
) -> dict[str, list[T]]:
    """Measure one figure of all servers in alternating rounds."""
    with ExitStack() as stack:
        started = [stack.enter_context(running(contender)) for contender in contenders]
        measures = {
            contender.name: partial(figure, url, pid, contender)
            for (url, pid, _), contender in zip(started, contenders, strict=True)
        }
        return alternate(measures, rounds)


def print_throughput(contenders: Sequence[Contender], *, cpu: bool = True) -> None:
    """Print requests/s, and the server's CPU time per request, relative to the first server."""
    runs, base = measure(contenders, throughput), contenders[0].name
    rates = {name: [run.requests_per_second for run in each] for name, each in runs.items()}
    print(table(rates, base, "requests/s"), "\n")
    if cpu:
        times = {name: [run.cpu_microseconds for run in each] for name, each in runs.items()}
        print(table(times, base, "CPU time per request, us", times=True), "\n")


def main() -> None:
    """Print a table for each figure."""
    if not shutil.which("wrk"):
        sys.exit("wrk must be installed. Run `apt-get install wrk`.")
    print(f"{conditions('fastapi', 'uvicorn', 'uvloop', 'httptools', 'numpy')}; ", end="")
    print(f"median of {ROUNDS} rounds of {SECONDS} s\n")
    print(f"`POST /predict`, {CONNECTIONS} connections\n")
    with every_option() as production:
        servers = (FLOOR, PLAIN, NOTEBOOK, production, CHAMPION)
        print_throughput(servers)
        print("`POST /predict`, one connection\n")
        print(table(measure(servers, median_latency), FLOOR.name, "median, us"), "\n")
    for apart, wrk_runs in ((True, "on the second core"), (False, "on every worker's core")):
        for model in ("notebook", "champion"):
            print(f"Two workers on two cores; wrk {wrk_runs}\n")
            print_throughput(workers(model, apart=apart), cpu=False)


if __name__ == "__main__":
    main()
