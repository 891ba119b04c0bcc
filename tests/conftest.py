import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from models import SAVED_MODELS
from models.storage import SavedModel, load_model

PROJECT = Path(__file__).parents[1]

ROW = {
    "MedInc": 8.3252,
    "HouseAge": 41.0,
    "AveRooms": 6.984126984126984,
    "AveBedrms": 1.0238095238095237,
    "Population": 322.0,
    "AveOccup": 2.5555555555555554,
    "Latitude": 37.88,
    "Longitude": -122.23,
}
"""The data set's first row."""


@pytest.fixture
def row():
    return dict(ROW)


@pytest.fixture(scope="session")
def saved() -> SavedModel:
    """The committed notebook model."""
    return load_model(SAVED_MODELS / "notebook")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def run(*arguments, stdout_path=None, **options):
    """Run this Python with arguments in the project's directory, to its end."""
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


class Server:
    """A real server process on a free port of this machine."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url
        self.port = int(url.rpartition(":")[2])

    def stop(self) -> int:
        """Send SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)


@contextmanager
def serving(*arguments) -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "serve", "--port", "0", *arguments],
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stderr.readline()
        url = re.search(r"http://\S+:\d+", line)
        assert url, line + process.stderr.read()
        yield Server(process, url[0])
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Both saved models, the one that can be worked out by hand by default."""
    with serving("--default", "notebook") as server:
        yield server


@pytest.fixture(scope="session")
def client(server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url) as client:
        yield client


def counterpart(*names: str, package: str) -> str:
    """The path of a real program to test with; in CI a missing one is a failure."""
    for name in names:
        if path := shutil.which(name):
            return path
    sentence = f"{names[0]} must be installed (apt-get install {package}), however it is missing"
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)
