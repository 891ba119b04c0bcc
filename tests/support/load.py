"""Clients that repeat one prediction request, and record its predictions and the failures."""

import json
import threading
import time
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException

from app.inference.registry import NamedModel
from app.inference.row_json import HouseFeatures, prediction_json, to_numbers
from models.interval import DEFAULT_LEVEL
from models.saved_model.storage import load_model
from tests.support.rows import ROW
from tests.support.waiting import join_all

HEADERS = {"content-type": "application/json"}


def expected_response(directory):
    """The expected response for ROW by the model saved in a directory."""
    model = NamedModel(directory.name, load_model(directory))
    prediction = model.saved.model.predict_row(to_numbers(HouseFeatures(**ROW)))
    return prediction_json(prediction, DEFAULT_LEVEL, model.identity)


class Load:
    """The responses, the wrong ones among them, and the failed requests."""

    def __init__(self, port, pause):
        self.port = port
        self.pause = pause
        self.expected = None  # the response expected from now on; None accepts any
        self.answers, self.wrong, self.lost = [], [], []
        self.stop = threading.Event()

    def send(self, *, keep):
        """Send requests until stopped: all on one connection, or each on a new one."""
        while not self.stop.is_set():
            with closing(HTTPConnection("127.0.0.1", self.port, timeout=15)) as connection:
                try:
                    connection.connect()
                    only_socket = connection.sock
                    self.send_one(connection, only_socket)
                    while not self.stop.wait(self.pause) and keep:
                        self.send_one(connection, only_socket)
                except (OSError, HTTPException) as error:
                    self.lost.append(error)

    def send_one(self, connection, only_socket):
        expected = self.expected
        connection.request("POST", "/predict", json.dumps(ROW), HEADERS)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            self.lost.append(response.status)
            return
        content = json.loads(body)
        self.answers.append(content)
        if (
            response.headers["x-model"] != content["model"]
            or connection.sock is not only_socket
            or (expected is not None and content != expected)
        ):
            self.wrong.append(content)

    def wait_for(self, count):
        """Wait until `count` more responses have arrived."""
        enough = len(self.answers) + count
        deadline = time.monotonic() + 30
        while len(self.answers) < enough:
            assert time.monotonic() < deadline, self.lost
            time.sleep(0.01)


@contextmanager
def under_load(port, *, keeping=6, connecting=0, pause=0):
    """Run clients: `keeping` keep their connection, `connecting` open one for each request.

    Each waits for `pause` seconds after a request, which leaves time to the other processes.
    """
    load = Load(port, pause)
    clients = [
        threading.Thread(target=load.send, kwargs={"keep": keep}, daemon=True)
        for keep in [True] * keeping + [False] * connecting
    ]
    for client in clients:
        client.start()
    try:
        yield load
        load.wait_for(100)
    finally:
        load.stop.set()
        join_all(clients)
