"""Several processes that answer HTTP from one listening socket, and the one that looks after them.

The supervisor answers no request. It loads and verifies the models and forks the workers, which
therefore start within milliseconds, with models that are known to be whole, whatever has become of
the files. It has neither threads nor an event loop, which a fork would copy half of: it waits for
signals, and does what they ask for, one after the other.

    SIGTERM, SIGINT   end, when everything accepted is answered
    SIGCHLD           a worker may have ended: another one takes its place
    SIGHUP            reload the API keys and the models
    SIGUSR1           a worker asks for a reload

A worker is told to end by the end of its connection to the supervisor. The kernel closes that
however the supervisor ends, so no worker outlives it.
"""

import contextlib
import multiprocessing
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess

from fastapi import FastAPI

from app.access.api_keys import APIKeys
from app.inference.registry import LoadedModels
from app.observability.stderr import log_to_stderr
from app.server.reload import reload_all
from app.server.server import DrainingServer, greet
from app.state import AppState, ShuttingDownError, state_of
from models.saved_model.storage import SavedModelError

STOP_SECONDS = 9  # then workers are killed; orchestrators kill after 10
START_SECONDS = 30  # for every worker to begin, on a machine that is busy with something else
PATIENCE_SECONDS = 3  # with a worker that does not take models
YOUNG_SECONDS = 1  # a worker that ends before that may do so over and over
PAUSE_SECONDS = 0.3  # before it is replaced

END = {signal.SIGTERM, signal.SIGINT}
SIGNALS = {*END, signal.SIGCHLD, signal.SIGHUP, signal.SIGUSR1}


class WorkerError(Exception):
    """A worker cannot be started."""


def supervise(app: FastAPI, listener: socket.socket, count: int) -> None:
    """Answer requests with several processes until SIGTERM or SIGINT, then finish those that came.

    Raises WorkerError where a worker cannot be started.
    """
    signal.signal(signal.SIGCHLD, lambda *_: None)  # systems may drop a signal without a handler
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # kept until they are waited for
    supervisor = Supervisor(app, listener)
    try:
        supervisor.start(count)
        greet(app, listener)
        while (number := signal.sigwait(SIGNALS)) not in END:
            supervisor.do(number)
    finally:
        supervisor.stop()


class Worker:
    """A process that answers requests, and the supervisor's ends of its two connections to it."""

    def __init__(self, app: FastAPI, listener: socket.socket, others: Sequence["Worker"]) -> None:
        self.orders, orders = _connect()
        self.requests, requests = _connect()
        self._began = time.monotonic()
        self._owed = 1  # how many acknowledgements are to come: the first says that it began
        ends = [end for worker in (self, *others) for end in (worker.orders, worker.requests)]
        self.process: ForkProcess = multiprocessing.get_context("fork").Process(
            target=_work, args=(app, listener, os.getpid(), orders, requests, ends), daemon=True
        )
        try:
            self.process.start()
        except OSError as error:
            raise WorkerError(f"a worker must be started, however: {error.strerror}") from error
        orders.close()
        requests.close()

    def send(self, value: LoadedModels | APIKeys) -> None:
        """Have it serve these models or keys from now on; it is ended where it does not."""
        try:
            self.orders.send(value)
        except OSError:  # of patience, or it has ended already
            self.kill()
        self._owed += 1

    @property
    def is_young(self) -> bool:
        """Whether it was started a moment ago."""
        return time.monotonic() - self._began < YOUNG_SECONDS

    def has_followed(self, patience: float = PATIENCE_SECONDS) -> bool:
        """Whether it began, and serves what it was sent; waits some seconds for it."""
        try:
            while self._owed and self.orders.poll(patience):
                self.orders.recv()
                self._owed -= 1
        except (EOFError, OSError):
            return False
        return not self._owed

    def kill(self) -> None:
        """End it now."""
        self.process.kill()
        self.process.join()

    def dismiss(self) -> None:
        """Let it finish what it has accepted, and end; it may have ended already."""
        self.orders.close()
        self.requests.close()


class Supervisor:
    """Keeps as many workers as there should be, all with the same models."""

    def __init__(self, app: FastAPI, listener: socket.socket) -> None:
        self._app = app
        self._listener = listener
        self._workers: list[Worker] = []
        self._state = state_of(app)

    def start(self, count: int) -> None:
        """Start so many workers, and wait until all of them answer."""
        for _ in range(count):
            self._workers.append(Worker(self._app, self._listener, self._workers))
        if not all(worker.has_followed(START_SECONDS) for worker in self._workers):
            raise WorkerError("every worker must begin to answer, however one did not")

    def do(self, number: int) -> None:
        """What a signal asks for."""
        if number == signal.SIGCHLD:
            self._replace_dead()
        elif number == signal.SIGHUP:
            reload_all(self._reload, self._reload_keys)
        elif number == signal.SIGUSR1:
            self._answer_workers()

    def stop(self) -> None:
        """End every worker when it has answered what it accepted, or is taking too long."""
        self._listener.close()  # or connections would wait in it for nobody
        for worker in self._workers:
            worker.dismiss()
        deadline = time.monotonic() + STOP_SECONDS
        for worker in self._workers:
            worker.process.join(max(deadline - time.monotonic(), 0))
            worker.kill()

    def _replace_dead(self) -> None:
        dead = [worker for worker in self._workers if not worker.process.is_alive()]
        if any(worker.is_young for worker in dead):
            time.sleep(PAUSE_SECONDS)
        for worker in dead:
            self._clear_away(worker)
            replacement = self._start_sooner_or_later()
            if replacement is not None:
                self._workers[self._workers.index(worker)] = replacement

    def _start_sooner_or_later(self) -> Worker | None:
        """Another worker, also where there are no means for one yet; None once all are to end."""
        while not signal.sigpending() & END:
            try:
                return Worker(self._app, self._listener, self._workers)
            except WorkerError as error:
                log_to_stderr(f"python -m app: {error}; it is tried again")
                time.sleep(PAUSE_SECONDS)
        return None

    def _clear_away(self, worker: Worker) -> None:
        """Whatever is kept for each process is given up here."""
        status, pid = worker.process.exitcode, worker.process.pid
        log_to_stderr(f"Worker {pid} ended with {status}; another takes its place")
        worker.dismiss()

    def _reload(self, name: str | None) -> LoadedModels:
        """Verify once, then have every worker take the models."""
        models = self._state.reload_models_here(name)
        self._share(models)
        return models

    def _reload_keys(self) -> APIKeys | None:
        keys = self._state.access.reload_keys()
        if keys is not None:
            self._share(keys)
        return keys

    def _share(self, value: LoadedModels | APIKeys) -> None:
        """Have every worker serve what this process would; one that does not is replaced."""
        for worker in self._workers:
            worker.send(value)
        for worker in self._workers:
            if not worker.has_followed():
                worker.kill()

    def _answer_workers(self) -> None:
        for worker in self._workers:
            with contextlib.suppress(EOFError, OSError):  # it has ended
                while worker.requests.poll():
                    worker.requests.send(self._try_to_reload(worker.requests.recv()))

    def _try_to_reload(self, name: str | None) -> SavedModelError | None:
        try:
            self._reload(name)
        except SavedModelError as error:
            return error
        return None


class ReloadEverywhere:
    """A worker's reload: asks the supervisor, which answers when every worker has followed."""

    def __init__(self, state: AppState, requests: Connection, supervisor: int) -> None:
        self._state = state
        self._requests = requests
        self._supervisor = supervisor
        self._one_at_a_time = threading.Lock()

    def __call__(self, name: str | None) -> LoadedModels:
        """Reload, as `Reload` says."""
        with self._one_at_a_time:
            refusal = self._ask(name)
            models = self._state.models
        if refusal is not None:
            raise refusal
        return models

    def _ask(self, name: str | None) -> Exception | None:
        try:
            self._requests.send(name)
            os.kill(self._supervisor, signal.SIGUSR1)
            refusal: SavedModelError | None = self._requests.recv()
        except (EOFError, OSError):  # the supervisor is ending
            return ShuttingDownError()
        return refusal


def _work(
    app: FastAPI,
    listener: socket.socket,
    supervisor: int,
    orders: Connection,
    requests: Connection,
    supervisors_ends: Sequence[Connection],
) -> None:
    """What a worker does, from the fork to its end."""
    for end in supervisors_ends:  # so that the supervisor alone holds them, and its end is noticed
        end.close()
    state = state_of(app)
    state.reload_models = ReloadEverywhere(state, requests, supervisor)
    server = DrainingServer(app, lambda: orders.send(None), last=False)
    threading.Thread(target=_follow, args=(orders, server), daemon=True).start()
    # The supervisor alone hears SIGHUP, and the Ctrl-C that a terminal sends to all of them.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    server.run(sockets=[listener])


def _follow(orders: Connection, server: DrainingServer) -> None:
    """Serve what the supervisor sends; end when it is ending, or has ended."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            value = orders.recv()
            if isinstance(value, APIKeys):
                server.state.access.api_keys = value
            else:
                server.state.models = value
            orders.send(None)
    server.last = True  # all workers end now
    server.should_exit = True


def _connect() -> tuple[Connection, Connection]:
    """The supervisor's end, where sending gives up after a while, and the worker's."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", PATIENCE_SECONDS, 0))
    return Connection(ours.detach()), Connection(theirs.detach())
