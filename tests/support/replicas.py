"""Three real replicas behind a real HAProxy with deploy/haproxy.cfg.

The replicas listen on addresses of their own (127.0.0.2 to 127.0.0.4), so that no client's
connection can take the port of a replica that is being replaced.
"""

import csv
import re
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager

import httpx

from tests.support.programs import find_program
from tests.support.servers import PROJECT, serving

CONFIG = (PROJECT / "deploy/haproxy.cfg").read_text()


class Replicas:
    """Three servers that are replaced at their own addresses."""

    def __init__(self, models):
        self.models = models
        self.servers = []
        self._stack = ExitStack()

    def __enter__(self):
        self.servers = [self._start(f"127.0.0.{number}", 0) for number in (2, 3, 4)]
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _start(self, host, port):
        options = ("--host", host, "--port", str(port), "--models", str(self.models))
        return self._stack.enter_context(serving(*options))

    def replace(self, index):
        """Start another server, with the models that are saved now, at the address of an ended one."""
        ended = self.servers[index]
        self.servers[index] = self._start(httpx.URL(ended.url).host, ended.port)

    @property
    def addresses(self):
        return [server.url.removeprefix("http://") for server in self.servers]


class Proxy:
    """HAProxy, and its statistics."""

    def __init__(self, process, port, statistics_port):
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._statistics = f"http://127.0.0.1:{statistics_port}/;csv"

    def replicas(self):
        """The statistics of each replica; an empty list while HAProxy does not answer."""
        try:
            text = httpx.get(self._statistics).text.removeprefix("# ")
        except httpx.ConnectError:
            return []
        rows = csv.DictReader(text.splitlines())
        return [row for row in rows if re.fullmatch(r"replica\d", row["svname"])]

    def count(self, name):
        return sum(int(row[name]) for row in self.replicas())

    def retries(self):
        """How many times HAProxy repeated a request, to the same replica or to another."""
        return self.count("wretr") + self.count("wredis")

    def wait_for(self, condition):
        """Wait until the replicas' statistics meet a condition; returns them."""
        deadline = time.monotonic() + 30
        while not condition(rows := self.replicas()):
            assert time.monotonic() < deadline, rows
            time.sleep(0.02)
        return rows

    def wait_for_states(self, *states):
        self.wait_for(lambda rows: [row["check_status"] for row in rows] == [*states])


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def proxy_of(addresses, directory, config=CONFIG):
    """HAProxy with deploy/haproxy.cfg, with its addresses replaced."""
    program = find_program("haproxy", package="haproxy")
    ports = free_port(), free_port()
    places = [f"127.0.0.1:{port}" for port in (8000, 8404, 8001, 8002, 8003)]
    there = [*(f"127.0.0.1:{port}" for port in ports), *addresses]
    for place, address in zip(places, there, strict=True):
        ends = re.compile(rf"{re.escape(place)}$", re.MULTILINE)
        config, found = ends.subn(address, config)
        assert found, place
    (directory / "haproxy.cfg").write_text(config)
    command = [program, "-f", directory / "haproxy.cfg"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    proxy = Proxy(process, *ports)
    try:
        proxy.wait_for(bool)
        yield proxy
    finally:
        process.terminate()
        process.wait(timeout=15)
