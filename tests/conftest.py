import signal
from collections.abc import Iterator
from dataclasses import replace

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from app.access.api_keys import key_line
from models import SAVED_MODELS
from models.house_price import HousePriceModel
from models.layers import Dense
from models.network import Network
from models.saved_model.storage import SavedModel, load_model
from tests.support.browser import chromium, new_page
from tests.support.headers import KEY
from tests.support.rows import ROW
from tests.support.servers import Server, serving

# A background job of a shell ignores SIGINT, and the processes that the tests start inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def row():
    return dict(ROW)


@pytest.fixture
def keys_file(tmp_path):
    """A file of API keys, with KEY for alice."""
    file = tmp_path / "api keys"
    file.write_text(f"# the clients\n\n{key_line('alice', KEY)}\n")
    return file


@pytest.fixture(scope="session")
def saved() -> SavedModel:
    """The committed notebook model."""
    return load_model(SAVED_MODELS / "notebook")


@pytest.fixture
def other_model(saved) -> HousePriceModel:
    """A different model: the committed one with its output layer doubled."""
    hidden, sigmoid, output = saved.model.network.layers
    doubled = Dense(output.weights * 2, output.biases * 2)
    return replace(saved.model, network=Network([hidden, sigmoid, doubled]))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server of both saved models, with the notebook as the default."""
    with serving("--default", "notebook") as server:
        yield server


@pytest.fixture(scope="session")
def client(server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url) as client:
        yield client


@pytest.fixture(scope="module")  # while it is open, asyncio.run fails in this thread
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


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
    """A page that the tests of a module share, because a new one takes a second or two."""
    shared_page.errors.clear()
    shared_page.aborted.clear()
    shared_page.set_viewport_size({"width": 1280, "height": 720})
    yield shared_page
    shared_page.unroute_all()
    shared_page.context.set_offline(False)
    shared_page.emulate_media(color_scheme="null", reduced_motion="null")
