"""Start several workers, replace those that end or hang, and have all of them reload.

The supervisor answers no request. It loads and verifies the models, then forks the workers, which
start within milliseconds with models that are known to be intact. It has neither threads nor an
event loop, because a fork would copy only a part of them: it waits for signals and handles them one
at a time.

    SIGTERM, SIGINT   answer what was accepted, then end
    SIGCHLD           a worker may have ended: replace it
    SIGALRM           every second: replace a worker that hangs
    SIGHUP            reload the API keys and the models
    SIGUSR1           a worker requests a reload

A worker shuts down when its connection to the supervisor closes. The kernel closes it however the
supervisor ends, so no worker outlives it.
"""

import contextlib
import multiprocessing
import os
import signal
import socket
import struct
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess

from fastapi import FastAPI

from app.access.api_keys import APIKeys
from app.inference.registry import LoadedModels
from app.observability.stderr import log_to_stderr
from app.server.heartbeat import CHECK_SECONDS, MAX_MISSED_BEATS, Heartbeat
from app.server.reload import reload_all
from app.server.server import announce
from app.server.worker import run_worker
from app.state import state_of
from models.saved_model.storage import SavedModelError

STOP_SECONDS = 9  # then workers are killed; orchestrators kill after 10
START_SECONDS = 30  # for every worker to start, on a busy machine
ACKNOWLEDGE_SECONDS = 3  # for a worker to take models or keys
YOUNG_SECONDS = 1  # a worker that ends sooner is likely to do so again
RESTART_PAUSE_SECONDS = 0.3

STOP = {signal.SIGTERM, signal.SIGINT}
SIGNALS = {*STOP, signal.SIGCHLD, signal.SIGALRM, signal.SIGHUP, signal.SIGUSR1}


class WorkerError(Exception):
    """A worker cannot be started."""


def supervise(app: FastAPI, listener: socket.socket, count: int) -> None:
    """Serve with several processes until SIGTERM or SIGINT, then finish accepted requests.

    Raises WorkerError if a worker cannot be started.
    """
    signal.signal(signal.SIGCHLD, lambda *_: None)  # some systems drop a signal without a handler
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # they stay pending until sigwait
    supervisor = Supervisor(app, listener)
    try:
        supervisor.start(count)
        announce(app, listener)
        signal.setitimer(signal.ITIMER_REAL, CHECK_SECONDS, CHECK_SECONDS)
        while (number := signal.sigwait(SIGNALS)) not in STOP:
            supervisor.handle(number)
    finally:
        supervisor.stop()


class Worker:
    """A worker process, with the supervisor's ends of its two connections."""

    def __init__(self, app: FastAPI, listener: socket.socket, others: Sequence["Worker"]) -> None:
        self.orders, orders = _connect()  # models and keys to serve; replies acknowledge them
        self.requests, requests = _connect()  # the worker's reloads; replies are None or an error
        self._started = time.monotonic()
        self._unacknowledged = 1  # its start; then each value that it is sent
        self.heartbeat = Heartbeat()
        ends = [end for worker in (self, *others) for end in (worker.orders, worker.requests)]
        self.process: ForkProcess = multiprocessing.get_context("fork").Process(
            target=run_worker,
            args=(app, listener, os.getpid(), orders, requests, self.heartbeat, ends),
            daemon=True,
        )
        try:
            self.process.start()
        except OSError as error:
            raise WorkerError(f"cannot start a worker: {error.strerror}") from error
        orders.close()
        requests.close()

    def send(self, value: LoadedModels | APIKeys) -> None:
        """Have it serve these models or keys from now on; kill it if it cannot take them."""
        try:
            self.orders.send(value)
        except OSError:  # timed out, or the worker has ended
            self.kill()
        self._unacknowledged += 1

    @property
    def is_young(self) -> bool:
        """Whether it was started a moment ago."""
        return time.monotonic() - self._started < YOUNG_SECONDS

    def has_acknowledged(self, seconds: float = ACKNOWLEDGE_SECONDS) -> bool:
        """Wait until it has started, and serves what it was sent; False if that takes too long."""
        try:
            while self._unacknowledged and self.orders.poll(seconds):
                self.orders.recv()
                self._unacknowledged -= 1
        except (EOFError, OSError):
            return False
        return not self._unacknowledged

    def kill(self) -> None:
        """End it now."""
        self.process.kill()
        self.process.join()

    def dismiss(self) -> None:
        """Let it finish what it has accepted, then end; it may have ended already."""
        self.orders.close()
        self.requests.close()


class Supervisor:
    """Keeps a number of workers running, all with the same models and keys."""

    def __init__(self, app: FastAPI, listener: socket.socket) -> None:
        self._app = app
        self._listener = listener
        self._workers: list[Worker] = []
        self._state = state_of(app)

    def start(self, count: int) -> None:
        """Start workers, and wait until all of them serve."""
        for _ in range(count):
            self._workers.append(Worker(self._app, self._listener, self._workers))
        if not all(worker.has_acknowledged(START_SECONDS) for worker in self._workers):
            raise WorkerError("a worker failed to start; see the messages above")

    def handle(self, number: int) -> None:
        """Handle a signal other than SIGTERM and SIGINT."""
        if number == signal.SIGCHLD:
            self._replace_dead()
        elif number == signal.SIGALRM:
            self._kill_hanging()
        elif number == signal.SIGHUP:
            reload_all(self._reload, self._reload_keys)
        elif number == signal.SIGUSR1:
            self._reload_for_workers()

    def stop(self) -> None:
        """Let every worker answer what it accepted, then end; kill those that take too long."""
        self._listener.close()  # or the kernel would accept connections that nobody serves
        for worker in self._workers:
            worker.dismiss()
        deadline = time.monotonic() + STOP_SECONDS
        for worker in self._workers:
            worker.process.join(max(deadline - time.monotonic(), 0))
            worker.kill()

    def _kill_hanging(self) -> None:
        """Kill each worker whose event loop no longer runs; SIGCHLD follows, and replaces it."""
        for worker in self._workers:
            if worker.heartbeat.has_stopped():
                seconds = round(MAX_MISSED_BEATS * CHECK_SECONDS)
                log_to_stderr(
                    f"Worker {worker.process.pid} has not responded for {seconds} seconds"
                )
                worker.kill()

    def _replace_dead(self) -> None:
        dead = [worker for worker in self._workers if not worker.process.is_alive()]
        if any(worker.is_young for worker in dead):
            time.sleep(RESTART_PAUSE_SECONDS)
        for worker in dead:
            status, pid = worker.process.exitcode, worker.process.pid
            log_to_stderr(f"Worker {pid} ended with status {status}; starting another")
            worker.dismiss()
            replacement = self._start_with_retries()
            if replacement is not None:
                self._workers[self._workers.index(worker)] = replacement

    def _start_with_retries(self) -> Worker | None:
        """Start a worker, retrying while the system lacks resources; None when shutting down."""
        while not signal.sigpending() & STOP:
            try:
                return Worker(self._app, self._listener, self._workers)
            except WorkerError as error:
                log_to_stderr(f"python -m app: {error}; retrying")
                time.sleep(RESTART_PAUSE_SECONDS)
        return None

    def _reload(self, name: str | None) -> LoadedModels:
        """Verify the models once, then have every worker take them."""
        models = self._state.reload_models_here(name)
        self._share(models)
        return models

    def _reload_keys(self) -> APIKeys | None:
        keys = self._state.access.reload_keys()
        if keys is not None:
            self._share(keys)
        return keys

    def _share(self, value: LoadedModels | APIKeys) -> None:
        """Send models or keys to every worker; kill each that does not acknowledge them."""
        for worker in self._workers:
            worker.send(value)
        for worker in self._workers:
            if not worker.has_acknowledged():
                worker.kill()

    def _reload_for_workers(self) -> None:
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


def _connect() -> tuple[Connection, Connection]:
    """Return the supervisor's end, where sending times out, and the worker's."""
    ours, theirs = socket.socketpair()
    timeout = struct.pack("ll", ACKNOWLEDGE_SECONDS, 0)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
    return Connection(ours.detach()), Connection(theirs.detach())
