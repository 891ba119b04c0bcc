"""python -m benchmarks.serving: requests/s and latency, relative to the floor and plain FastAPI.

The server runs on one core and wrk on the other; two workers share their cores with wrk.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from benchmarks.ratios import alternate, conditions, table
from benchmarks.running import Contender, cpu_list, running, this_service, uvicorn

ROUNDS = 7
SECONDS = 3
CONNECTIONS = 32
MICROSECONDS = {"us": 1.0, "ms": 1e3, "s": 1e6}

FLOOR, PLAIN = uvicorn("the floor", "floor"), uvicorn("plain FastAPI", "plain_fastapi")
NOTEBOOK = this_service("this service, notebook", "--default", "notebook")
LOGGED = this_service(
    "this service, notebook, allowed hosts and access log",
    *("--default", "notebook", "--allowed-hosts", "127.0.0.1", "--access-log", "json"),
)
CHAMPION = this_service("this service, champion")


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
    command += ["--script", str(contender.script), url + contender.path]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"{contender.name} must answer every request with 2xx, got:\n{output}")
    return output


def requests_per_second(url: str, contender: Contender) -> float:
    """Measure requests/s with many connections."""
    found = re.search(r"Requests/sec: +([\d.]+)", wrk(url, contender, CONNECTIONS))
    assert found
    return float(found[1])


def median_latency(url: str, contender: Contender) -> float:
    """Measure the median latency with one connection, us."""
    found = re.search(r" 50% +([\d.]+)(us|ms|s)", wrk(url, contender, 1))
    assert found
    return float(found[1]) * MICROSECONDS[found[2]]


def compare(
    contenders: Sequence[Contender],
    figure: Callable[[str, Contender], float],
    unit: str,
    rounds: int = ROUNDS,
    *,
    times: bool = False,
) -> str:
    """Measure one figure of all servers in alternating rounds; returns a table."""
    with ExitStack() as stack:
        urls = [stack.enter_context(running(contender))[0] for contender in contenders]
        measures = {
            contender.name: partial(figure, url, contender)
            for url, contender in zip(urls, contenders, strict=True)
        }
        return table(alternate(measures, rounds), contenders[0].name, unit, times=times)


def main() -> None:
    """Print a table for each figure."""
    if not shutil.which("wrk"):
        sys.exit("wrk must be installed. Run `apt-get install wrk`.")
    print(f"{conditions('fastapi', 'uvicorn', 'uvloop', 'httptools', 'numpy')}; ", end="")
    print(f"median of {ROUNDS} rounds of {SECONDS} s\n")
    print(f"`POST /predict`, {CONNECTIONS} connections\n")
    servers = (FLOOR, PLAIN, NOTEBOOK, LOGGED, CHAMPION)
    print(compare(servers, requests_per_second, "requests/s"), "\n")
    print("`POST /predict`, one connection\n")
    print(compare(servers, median_latency, "median, us"), "\n")
    for apart, wrk_runs in ((True, "on the second core"), (False, "on every worker's core")):
        for model in ("notebook", "champion"):
            print(f"Two workers on two cores; wrk {wrk_runs}\n")
            print(compare(workers(model, apart=apart), requests_per_second, "requests/s"), "\n")


if __name__ == "__main__":
    main()
