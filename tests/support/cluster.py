"""A real Dask cluster on this machine: a scheduler and workers, each a process."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from distributed import Client

from tests.support.servers import PROJECT
from tests.support.waiting import wait_until


class Cluster:
    """A scheduler, and its workers by name."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file = directory / "scheduler.json"
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")
        wait_until(self._is_there, 60)
        self.address: str = json.loads(self._file.read_text())["address"]

    def _is_there(self) -> bool:
        assert self.scheduler.poll() is None, (self._directory / "log").read_text()
        return self._file.exists() and bool(self._file.read_text())

    def start_worker(self, name: str) -> None:
        """Start a worker with one thread and without a nanny, which would restart it."""
        self.workers[name] = self._start(
            "worker", "--name", name, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1"
        )

    def wait(self) -> None:
        """Wait until all live workers have registered with the scheduler."""
        living = [worker for worker in self.workers.values() if worker.poll() is None]
        with self.client() as client:
            client.wait_for_workers(len(living), timeout=60)

    @contextmanager
    def client(self) -> Iterator[Client]:
        with Client(self.address, timeout=30, set_as_default=False) as client:
            yield client

    def cpu_seconds(self) -> float:
        """CPU time of all workers so far."""
        ticks = 0
        for worker in self.workers.values():
            status = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(status[11]) + int(status[12])  # user and system time
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End all processes."""
        for process in (*self.workers.values(), self.scheduler):
            process.terminate()
        for process in (*self.workers.values(), self.scheduler):
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            process.kill()
            process.wait(timeout=10)

    def _start(self, command: str, *options: str) -> "subprocess.Popen[bytes]":
        with (self._directory / "log").open("ab") as log:
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", "dask", command, "--no-dashboard"),
                    *("--scheduler-file", str(self._file), *options),
                ],
                cwd=PROJECT,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                stdout=log,
                stderr=log,
            )


@contextmanager
def cluster_of(workers: int, directory: Path) -> Iterator[Cluster]:
    cluster = Cluster(directory)
    try:
        for index in range(workers):
            cluster.start_worker(f"worker-{index}")
        cluster.wait()
        yield cluster
    finally:
        cluster.stop()
