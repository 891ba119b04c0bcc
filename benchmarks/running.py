"""Start the servers to measure, each in its own process and pinned to cores."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parents[1]
START_SECONDS = 120.0
POLL_SECONDS = 0.005
UVICORN = ("-m", "uvicorn", "--loop", "uvloop", "--http", "httptools", "--no-access-log")


@dataclass(frozen=True, slots=True)
class Contender:
    """A server to measure; {port} in its arguments and environment is replaced by a free port.

    It is ready when its `ready` path answers 200. `cores` run the server, and `load_cores` the
    load generator; they may overlap.
    """

    name: str
    arguments: Sequence[str]
    path: str = "/predict"
    cores: frozenset[int] = frozenset({0})
    load_cores: frozenset[int] = frozenset({1})
    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=dict)
    script: Path = PROJECT / "benchmarks" / "predict.lua"
    headers: Sequence[str] = ()  # of each request, as `Name: value`
    ready: str = "/readyz"


def uvicorn(name: str, app: str) -> Contender:
    """A bare ASGI app of benchmarks/servers under the same uvicorn."""
    return Contender(
        name,
        (*UVICORN, "--log-level", "error", "--port", "{port}", f"benchmarks.servers.{app}:app"),
    )


def this_service(name: str, *options: str) -> Contender:
    """The service itself, with its default options."""
    return Contender(name, ("-m", "app", "serve", "--port", "{port}", *options))


def cpu_list(cores: frozenset[int]) -> str:
    """Format cores as `taskset` expects them."""
    return ",".join(map(str, sorted(cores)))


@contextmanager
def running(contender: Contender) -> Iterator[tuple[str, int, float]]:
    """Run a server; yields its URL, its process id, and the seconds until its first response."""
    port = _free_port()
    # Python caches compiled modules by default.
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["OPENBLAS_NUM_THREADS"] = "1"
    for name, value in contender.environment.items():
        environment[name] = value.format(port=port)
    started = time.perf_counter()
    process = subprocess.Popen(
        [
            *("taskset", "--cpu-list", cpu_list(contender.cores)),
            *(contender.python, *(each.format(port=port) for each in contender.arguments)),
        ],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(process, url + contender.ready, contender.name)
        yield url, process.pid, time.perf_counter() - started
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with suppress(ProcessLookupError):  # some servers leave child processes behind
            os.killpg(process.pid, signal.SIGKILL)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its threads so far, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> float:
    """Return the resident memory of a process and its descendants, MB."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    own = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return own + sum(resident_megabytes(int(child)) for child in children)


def _wait_for(process: subprocess.Popen[bytes], url: str, name: str) -> None:
    deadline = time.perf_counter() + START_SECONDS
    while time.perf_counter() < deadline:
        if process.poll() is not None:
            raise RuntimeError(
                f"{name} exited with status {process.returncode} before it was ready"
            )
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:  # it does not listen yet, or is not ready
            time.sleep(POLL_SECONDS)
        else:
            return
    raise RuntimeError(f"{name} was not ready within {START_SECONDS:.0f} s")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
