import asyncio
import os
import re
import shutil
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from app.main import create_app
from app.server.heartbeat import MAX_MISSED_BEATS, Heartbeat
from app.server.server import DrainingServer, listen
from app.server.supervisor import RESTART_PAUSE_SECONDS
from models import SAVED_MODELS
from tests.support.processes import is_alive
from tests.support.servers import new_connections, run, serving
from tests.support.waiting import join_all, wait_until


def test_a_killed_worker_is_replaced_and_the_service_still_responds(row):
    """Each of two workers is killed, one after the other."""
    with serving("--workers", "2") as server, new_connections(server) as client:
        first = server.workers
        os.kill(first[0], signal.SIGKILL)
        wait_until(lambda: len({*server.workers} - {first[0]}) == 2)
        os.kill(first[1], signal.SIGKILL)
        wait_until(lambda: len({*server.workers} - {*first}) == 2)
        answers = [client.post("/predict", json=row).status_code for _ in range(20)]
        assert server.stop() == 0
        lines = server.remaining_lines()

    assert set(answers) == {200}
    assert lines == "".join(
        f"Worker {pid} ended with status -9; starting another\n" for pid in first
    )


def test_a_worker_that_gets_sigterm_leaves_the_socket_open_for_the_others(row):
    """Only a server's last process drops new connections when it stops.

    The ended worker may close connections that it accepted last; their requests are repeated.
    """
    with serving("--workers", "2") as server, new_connections(server) as client:
        ended = server.workers[0]
        os.kill(ended, signal.SIGTERM)
        answers = []
        while ended in server.workers:
            with suppress(httpx.ReadError, httpx.RemoteProtocolError):
                answers.append(client.post("/predict", json=row).status_code)
        answers += [client.post("/predict", json=row).status_code for _ in range(20)]

    assert set(answers) == {200}


def test_with_several_workers_a_damaged_model_gives_one_error_line(tmp_path):
    shutil.copytree(SAVED_MODELS / "notebook", tmp_path / "notebook")
    manifest = tmp_path / "notebook" / "model.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"0.9", b"0.8", 1))

    result = run("-m", "app", "serve", "--port", "0", "--workers", "2", "--models", str(tmp_path))

    assert result.returncode == 3
    assert "model.json must match its seal" in result.stderr
    assert result.stderr.count("\n") == 1


def test_no_worker_outlives_the_supervisor():
    with serving("--workers", "2") as server:
        workers = server.workers
        server.process.kill()

        assert len(workers) == 2
        wait_until(lambda: not any(is_alive(worker) for worker in workers))


def test_a_worker_that_does_not_reload_is_replaced(tmp_path, row):
    """A stopped process stands for one that hangs; the other workers wait a few seconds for it."""
    shutil.copytree(SAVED_MODELS / "notebook", tmp_path / "notebook")
    with serving("--workers", "2", "--models", str(tmp_path)) as server:
        hanging = server.workers[0]
        os.kill(hanging, signal.SIGSTOP)
        server.process.send_signal(signal.SIGHUP)
        lines = {server.next_line() for _ in range(2)}
        wait_until(lambda: len(server.workers) == 2)

        assert f"Worker {hanging} ended with status -9; starting another\n" in lines
        assert httpx.post(f"{server.url}/predict", json=row).status_code == 200


def test_each_worker_exposes_the_counts_of_all_workers(row):
    """Including the counts of a killed worker; no file of counts remains."""
    before = set(Path("/dev/shm").glob("housing-counts-*"))
    with (
        serving("--workers", "2", "--default", "notebook") as server,
        new_connections(server) as client,
    ):
        for _ in range(40):  # enough for both workers to get some
            assert client.post("/predict", json=row).status_code == 200
        killed = server.workers[0]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: len({*server.workers} - {killed}) == 2)
        counts = {
            re.search(
                r'housing_predictions_total{model="notebook"} (\S+)',
                client.get("/metrics", headers={"accept": "text/plain"}).text,
            )[1]
            for _ in range(20)
        }
        server.stop()

    assert counts == {"40.0"}
    assert set(Path("/dev/shm").glob("housing-counts-*")) <= before


STUCK_ON_SIGNAL = """
import signal, sys
from app.__main__ import main

def loop_forever(*_):
    while True:
        pass

signal.signal(signal.SIGUSR2, loop_forever)
sys.exit(main())
"""
"""The service, where SIGUSR2 blocks a worker's event loop."""


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGUSR2], ids=["stopped", "stuck"])
def test_a_worker_that_hangs_is_replaced_within_15_seconds(number, row):
    with (
        serving("--workers", "2", program=("-c", STUCK_ON_SIGNAL)) as server,
        new_connections(server) as client,
    ):
        hanging, other = server.workers
        started = time.monotonic()
        os.kill(hanging, number)
        messages = [server.next_line() for _ in range(2)]
        wait_until(lambda: len(server.workers) == 2)
        seconds = time.monotonic() - started

        assert messages == [
            f"Worker {hanging} has not responded for 10 seconds\n",
            f"Worker {hanging} ended with status -9; starting another\n",
        ]
        assert seconds < 15
        assert hanging not in server.workers
        assert other in server.workers
        assert {client.post("/predict", json=row).status_code for _ in range(10)} == {200}


def test_a_worker_may_miss_some_heartbeats():
    async def beat_after(missed):
        heartbeat.beat()
        return [heartbeat.has_stopped() for _ in range(missed)]

    heartbeat = Heartbeat()
    for _ in range(300):  # the counter wraps around
        assert not any(asyncio.run(beat_after(missed=MAX_MISSED_BEATS)))

    assert asyncio.run(beat_after(missed=MAX_MISSED_BEATS + 1))[-1]


SERVICE_WITH_FLAG = """
import os, sys, time
from multiprocessing.context import ForkProcess
from app.__main__ import main
run = ForkProcess.run
ForkProcess.run = lambda self: ((os.path.exists(os.environ["FLAG"]) and {first}), run(self))
sys.exit(main())
"""
"""The service, where each new worker evaluates `first` before it runs, while a file exists."""


def test_a_worker_that_ends_at_once_is_replaced_after_a_pause(tmp_path):
    flag = tmp_path / "end at once"
    environment = {"FLAG": str(flag)}
    program = ("-c", SERVICE_WITH_FLAG.format(first="os._exit(1)"))
    with serving("--workers", "2", program=program, environment=environment) as server:
        flag.touch()
        os.kill(server.workers[0], signal.SIGKILL)
        seconds = []
        for _ in range(6):
            assert " ended with status " in server.next_line()
            seconds.append(time.monotonic())
        flag.unlink()

        assert seconds[-1] - seconds[1] > 3 * RESTART_PAUSE_SECONDS  # at least three pauses


def test_workers_that_start_during_a_shutdown_answer_and_end_without_an_error(tmp_path):
    flag = tmp_path / "start slowly"
    environment = {"FLAG": str(flag)}
    program = ("-c", SERVICE_WITH_FLAG.format(first="time.sleep(1)"))
    with serving("--workers", "2", program=program, environment=environment) as server:
        flag.touch()
        killed = server.workers
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len({*server.workers} - {*killed}) == 2)
        server.process.send_signal(signal.SIGTERM)
        response = httpx.get(f"{server.url}/livez")
        status = server.process.wait(timeout=15)
        messages = server.remaining_lines()

    assert response.status_code == 200
    assert status == 0
    assert messages == "".join(
        f"Worker {pid} ended with status -9; starting another\n" for pid in killed
    )


def test_a_server_that_shuts_down_as_soon_as_it_starts_sends_the_fixed_headers():
    listener = listen("127.0.0.1", 0)
    url = "http://{}:{}/livez".format(*listener.getsockname())
    server = DrainingServer(create_app(), lambda: None, last=True)
    server.should_exit = True
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    response = httpx.get(url)
    join_all([thread])

    assert response.status_code == 200
    assert response.headers["connection"] == "close"
    assert response.headers["x-content-type-options"] == "nosniff"
