"""python -m benchmarks.serving: requests a second and latency, beside the floor and plain FastAPI.

The server is on one core and wrk on another, but for two workers, who share with it.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from benchmarks.ratios import circumstances, in_turn, table
from benchmarks.running import Contender, cores_in_words, ours, running, uvicorn

ROUNDS = 7
SECONDS = 3
CONNECTIONS = 32
MICROSECONDS = {"us": 1.0, "ms": 1e3, "s": 1e6}

FLOOR, PLAIN = uvicorn("the floor", "floor"), uvicorn("plain FastAPI", "plain_fastapi")
NOTEBOOK = ours("this service, notebook", "--default", "notebook")
LOGGED = ours(
    "this service, notebook, allowed hosts and access log",
    *("--default", "notebook", "--allowed-hosts", "127.0.0.1", "--access-log", "json"),
)
CHAMPION = ours("this service, champion")


def workers(model: str, *, apart: bool) -> tuple[Contender, Contender]:
    """One worker on one core, and two on two.

    Apart, wrk has the second core, which two workers then share with it; otherwise each worker
    shares its core with as much of wrk.
    """
    one = ours(f"1 worker, {model}", "--default", model)
    two = replace(
        ours(f"2 workers, {model}", "--default", model, "--workers", "2"), cores=frozenset({0, 1})
    )
    if apart:
        return one, two
    return replace(one, driven_from=one.cores), replace(two, driven_from=two.cores)


def wrk(url: str, contender: Contender, connections: int) -> str:
    """What wrk says of some seconds of requests; raises RuntimeError where one was refused."""
    cores, threads = cores_in_words(contender.driven_from), str(len(contender.driven_from))
    command = ["taskset", "--cpu-list", cores, "wrk", "--threads", threads, "--latency"]
    command += ["--connections", str(connections), "--duration", f"{SECONDS}s"]
    command += ["--script", str(contender.script), url + contender.path]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"{contender.name} must answer every request, however:\n{said}")
    return said


def requests_per_second(url: str, contender: Contender) -> float:
    """With many connections."""
    found = re.search(r"Requests/sec: +([\d.]+)", wrk(url, contender, CONNECTIONS))
    assert found
    return float(found[1])


def median_latency(url: str, contender: Contender) -> float:
    """With one connection, in microseconds."""
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
    """A table of one figure; all servers run at once, and are asked in turn."""
    with ExitStack() as stack:
        urls = [stack.enter_context(running(contender))[0] for contender in contenders]
        measures = {
            contender.name: partial(figure, url, contender)
            for url, contender in zip(urls, contenders, strict=True)
        }
        return table(in_turn(measures, rounds), contenders[0].name, unit, times=times)


def main() -> None:
    """Print a table for each figure."""
    if not shutil.which("wrk"):
        sys.exit("wrk must be installed (apt-get install wrk), however it is missing")
    print(f"{circumstances('fastapi', 'uvicorn', 'uvloop', 'httptools', 'numpy')}; ", end="")
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
