"""Clients that ask a server for the same prediction over and over, and count what they get."""

import json
import threading
import time
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException

from app.inference.prediction import answer
from app.inference.registry import NamedModel
from app.inference.row_schema import HouseFeatures, to_numbers
from models.saved_model.storage import load_model
from tests.support.rows import ROW
from tests.support.waiting import join_all

HEADERS = {"content-type": "application/json"}


def answer_of(directory):
    """What a server must answer to ROW, with the model that is saved in a directory."""
    model = NamedModel(directory.name, load_model(directory))
    return answer(to_numbers(HouseFeatures(**ROW)), model)


class Load:
    """What was answered, what was answered otherwise than it must be, and what was not."""

    def __init__(self, port, pause):
        self.port = port
        self.pause = pause
        self.expected = None  # the only right answer to what is sent from now on
        self.answers, self.wrong, self.lost = [], [], []
        self.stop = threading.Event()

    def send(self, *, keep):
        """Until it is stopped, on one connection that must stay, or on a new one each time."""
        while not self.stop.is_set():
            with closing(HTTPConnection("127.0.0.1", self.port, timeout=15)) as connection:
                try:
                    connection.connect()
                    only_socket = connection.sock
                    self.ask(connection, only_socket)
                    while not self.stop.wait(self.pause) and keep:
                        self.ask(connection, only_socket)
                except (OSError, HTTPException) as error:
                    self.lost.append(error)

    def ask(self, connection, only_socket):
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
        """Until so many more requests have been answered."""
        enough = len(self.answers) + count
        deadline = time.monotonic() + 30
        while len(self.answers) < enough:
            assert time.monotonic() < deadline, self.lost
            time.sleep(0.01)


@contextmanager
def under_load(port, *, keeping=6, connecting=0, pause=0):
    """Clients that keep their connection, and such as make one for each request.

    Each pauses for some seconds between its requests, where others are to get something done.
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
