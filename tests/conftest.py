import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from app.access.api_keys import key_line
from models import SAVED_MODELS
from models.house_price import HousePriceModel
from models.layers import Dense
from models.network import Network
from models.saved_model.storage import SavedModel, load_model

PROJECT = Path(__file__).parents[1]

# A shell's background job has Ctrl-C ignored, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

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

KEY = "housing_" + "k" * 43


@pytest.fixture
def row():
    return dict(ROW)


@pytest.fixture
def keys_file(tmp_path):
    """API keys, of which alice has KEY."""
    file = tmp_path / "api keys"
    file.write_text(f"# who may ask\n\n{key_line('alice', KEY)}\n")
    return file


@pytest.fixture(scope="session")
def saved() -> SavedModel:
    """The committed notebook model."""
    return load_model(SAVED_MODELS / "notebook")


@pytest.fixture
def other(saved) -> HousePriceModel:
    """Another model: the committed one with its output layer doubled."""
    hidden, sigmoid, output = saved.model.network.layers
    doubled = Dense(output.weights * 2, output.biases * 2)
    return replace(saved.model, network=Network([hidden, sigmoid, doubled]))


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

    @property
    def workers(self) -> list[int]:
        """The processes that it has started and that live."""
        started = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [pid for pid in map(int, Path(started).read_text().split()) if lives(pid)]

    def stop(self) -> int:
        """Send SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)


def lives(pid: int) -> bool:
    """Whether there is a process of that number which has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextmanager
def serving(*arguments, stdout=None, program=("-m", "app")) -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, *program, "serve", "--port", "0", *arguments],
        cwd=PROJECT,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stderr.readline()
        url = re.search(r"http://\S+:\d+", line)
        assert url, line + process.stderr.read()
        yield Server(process, url[0])
    finally:
        if "--workers" in arguments:  # whose parent has a directory to remove
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=15)
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


@pytest.fixture(scope="module")  # it runs an event loop, beside which other tests could have none
def browser() -> Iterator[Browser]:
    """A real browser that can resolve no name, so that no page of it needs another host."""
    chromium = counterpart("chromium", "chromium-browser", "google-chrome", package="chromium")
    offline = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", offline]
        )
        yield browser
        browser.close()


@contextmanager
def new_page(browser: Browser) -> Iterator[Page]:
    """A page whose `errors` are what its console, its scripts and its requests complained of.

    Requests that it gave up itself are in `given_up` too.
    """
    with browser.new_context() as context:
        page = context.new_page()
        page.errors, page.given_up = [], []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("requestfailed", lambda request: page.errors.append(request.url))
        page.on(
            "requestfailed",
            lambda request: (
                page.given_up.append(request.url) if request.failure == "net::ERR_ABORTED" else None
            ),
        )
        page.on(
            "console",
            lambda message: page.errors.append(message.text) if message.type == "error" else None,
        )
        yield page


@pytest.fixture
def page(browser) -> Iterator[Page]:
    with new_page(browser) as page:
        yield page


@pytest.fixture(scope="module")
def shared_page(browser) -> Iterator[Page]:
    with new_page(browser) as page:
        yield page


@pytest.fixture
def tab(shared_page) -> Iterator[Page]:
    """A page as `page`, but for what it keeps: a new one costs a second or two."""
    shared_page.errors.clear()
    shared_page.given_up.clear()
    shared_page.set_viewport_size({"width": 1280, "height": 720})
    yield shared_page
    shared_page.unroute_all()
    shared_page.context.set_offline(False)
    shared_page.emulate_media(color_scheme="null", reduced_motion="null")
