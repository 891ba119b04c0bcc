"""Servers to measure, each a process of its own that is pinned to a core."""

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
    """A server to measure, by what is started; {port} stands for a free port.

    It is ready when it answers 200 at an address of its own. It has some cores, and so has what
    sends it requests; they may be the same.
    """

    name: str
    arguments: Sequence[str]
    path: str = "/predict"
    cores: frozenset[int] = frozenset({0})
    driven_from: frozenset[int] = frozenset({1})
    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=dict)
    script: Path = PROJECT / "benchmarks" / "predict.lua"
    ready: str = "/readyz"


def uvicorn(name: str, app: str) -> Contender:
    """A bare ASGI app of benchmarks/servers under the same uvicorn."""
    return Contender(
        name,
        (*UVICORN, "--log-level", "error", "--port", "{port}", f"benchmarks.servers.{app}:app"),
    )


def ours(name: str, *options: str) -> Contender:
    """The service itself, with everything on."""
    return Contender(name, ("-m", "app", "serve", "--port", "{port}", *options))


def cores_in_words(cores: frozenset[int]) -> str:
    """Some cores as `taskset` has them."""
    return ",".join(map(str, sorted(cores)))


@contextmanager
def running(contender: Contender) -> Iterator[tuple[str, int, float]]:
    """Start a server: its URL, its process, and after how many seconds it answered."""
    port = _free_port()
    # As it is where nobody has said otherwise: Python keeps what it has compiled.
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["OPENBLAS_NUM_THREADS"] = "1"
    for name, value in contender.environment.items():
        environment[name] = value.format(port=port)
    started = time.perf_counter()
    process = subprocess.Popen(
        [
            *("taskset", "--cpu-list", cores_in_words(contender.cores)),
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
        with suppress(ProcessLookupError):  # some leave processes of their own behind
            os.killpg(process.pid, signal.SIGKILL)


def resident_megabytes(pid: int) -> float:
    """The resident memory of a process and of those it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    own = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return own + sum(resident_megabytes(int(child)) for child in children)


def _wait_for(process: subprocess.Popen[bytes], url: str, name: str) -> None:
    deadline = time.perf_counter() + START_SECONDS
    while time.perf_counter() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{name} must start, however it ended with {process.returncode}")
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:  # it does not listen yet, or says that it is not ready
            time.sleep(POLL_SECONDS)
        else:
            return
    raise RuntimeError(f"{name} must answer within {START_SECONDS:.0f} s, however it did not")


def _free_port() -> int:
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        port: int = some.getsockname()[1]
        return port
