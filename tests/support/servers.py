"""The project's programs as real processes: commands, and servers on a free port."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.support.pipes import read_all, read_line
from tests.support.processes import is_alive

PROJECT = Path(__file__).parents[2]


def run(*arguments, stdout_path=None, **options):
    """Run this Python with arguments, in the project's directory, to its end."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        stdout=os.open(stdout_path, os.O_WRONLY) if stdout_path else subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


@contextmanager
def started(*arguments, environment=None, **options) -> Iterator[subprocess.Popen[str]]:
    """Start this Python with arguments; the process is killed at the end unless it has ended."""
    options = {"stderr": subprocess.PIPE, "text": True, **options}
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env={**os.environ, **(environment or {})},
        **options,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class Server:
    """A real server process on a free port of this machine."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url
        self.port = int(url.rpartition(":")[2])

    @property
    def workers(self) -> list[int]:
        """The live processes that it started."""
        started = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [pid for pid in map(int, Path(started).read_text().split()) if is_alive(pid)]

    def stop(self) -> int:
        """Send SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)

    def next_line(self) -> str:
        """The next line of its standard error."""
        return read_line(self.process.stderr)

    def remaining_lines(self) -> str:
        """The rest of its standard error, up to the end of the process."""
        return read_all(self.process.stderr)


@contextmanager
def serving(*arguments, stdout=None, program=("-m", "app"), environment=None) -> Iterator[Server]:
    """Start a server, and wait until it accepts connections."""
    command = (*program, "serve", "--port", "0", *arguments)
    with started(*command, stdout=stdout, environment=environment) as process:
        line = read_line(process.stderr, 60)  # a busy machine starts it slowly
        url = re.search(r"http://\S+:\d+", line)
        assert url, line + read_all(process.stderr)
        try:
            yield Server(process, url[0])
        finally:
            if "--workers" in arguments:  # whose parent has a directory to remove
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=15)


def new_connections(server):
    """A client that opens a connection for each request, which any worker may accept."""
    return httpx.Client(base_url=server.url, limits=httpx.Limits(max_keepalive_connections=0))
