"""Under overload, excess requests get 503 at once, and the others their predictions."""

import asyncio
import json
import re
import socket
import time
from collections import Counter
from contextlib import closing

import httpx
import numpy as np
import pytest

from app.access.policy import PROBES
from app.server.load_shedding import MAX_ITERATION_SECONDS, MIN_REQUESTS, LoadShedder
from models import SAVED_MODELS
from models.features import FEATURE_NAMES
from models.saved_model.storage import load_model
from tests.fuzz.case import Case
from tests.fuzz.client import Connection
from tests.support.raw_requests import PROBE, post
from tests.support.rows import ROW
from tests.support.servers import serving
from tests.support.two_paths import VALID, assert_alike, send_by_both_paths

ALWAYS_OVERDUE = """
import sys
from app.__main__ import main
from app.server.load_shedding import LoadShedder
LoadShedder.is_overdue = lambda self: True
sys.exit(main())
"""
"""The service with every event-loop iteration overdue, so that it sheds every request."""


@pytest.fixture(scope="module")
def overloaded():
    with serving("--default", "notebook", program=("-c", ALWAYS_OVERDUE)) as server:
        yield server


@pytest.fixture(scope="module")
def champion():
    return load_model(SAVED_MODELS / "champion").model


def test_an_overloaded_server_sends_503_with_retry_after(overloaded):
    with httpx.Client(base_url=overloaded.url) as client:
        for path in ("/predict", "/explain", "/predict/batch"):
            response = client.post(path, json=ROW)

            assert response.status_code == 503
            assert response.headers["retry-after"] == "1"
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["detail"].startswith("The service is overloaded")
        counts = client.get("/metrics", headers={"accept": "text/plain"})
    (count,) = re.findall(r'requests_total{code="503",.*route="unmatched"} (\S+)', counts.text)
    assert float(count) >= 3


def test_a_503_under_v2_has_the_error_format_of_the_v2_protocol(overloaded):
    response = httpx.post(f"{overloaded.url}/v2/models/notebook/infer", json={"inputs": []})

    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert [*response.json()] == ["error"]


def test_a_request_whose_body_arrives_later_gets_503_and_keeps_its_connection(overloaded):
    head, body = post("/predict/batch", [ROW] * 100).split(b"\r\n\r\n")

    with socket.create_connection(("127.0.0.1", overloaded.port), timeout=5) as connection:
        for _ in range(2):
            for piece in (head, b"\r\n\r\n", body[:2000], body[2000:]):
                connection.sendall(piece)
                time.sleep(0.02)
            answer = connection.recv(65536)

            assert answer.startswith(b"HTTP/1.1 503")
            assert b"connection: close" not in answer.lower()


def test_a_large_body_gets_503_before_it_has_arrived(overloaded):
    for path in (b"/predict", b"/predict/batch"):
        head = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" % path

        with socket.create_connection(("127.0.0.1", overloaded.port), timeout=5) as connection:
            connection.sendall(head + b"Content-Length: 10000000\r\n\r\n" + b" " * 1000)

            assert connection.recv(65536).startswith(b"HTTP/1.1 503")


def test_an_overloaded_server_waits_for_a_slow_body_before_it_sends_503(overloaded):
    """The body takes longer than the eight seconds allowed for a head, at twice the minimum rate."""
    head, body = post("/predict/batch", [ROW] * 10).split(b"\r\n\r\n")

    with socket.create_connection(("127.0.0.1", overloaded.port), timeout=15) as connection:
        connection.sendall(head + b"\r\n\r\n")
        for start in range(0, len(body), len(body) // 10 + 1):
            connection.sendall(body[start : start + len(body) // 10 + 1])
            time.sleep(1.0)

        assert connection.recv(65536).startswith(b"HTTP/1.1 503")


def test_a_request_shed_during_shutdown_gets_connection_close():
    head, body = post("/predict/batch", [ROW] * 100).split(b"\r\n\r\n")

    with serving("--default", "notebook", program=("-c", ALWAYS_OVERDUE)) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=15) as connection:
            connection.sendall(head + b"\r\n\r\n" + body[:2000])
            server.process.terminate()
            answer = connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 503")
            assert b"connection: close" in answer.lower()
            assert connection.recv(1) == b""
        assert server.stop() == 0


OTHER_PATHS = [
    Case(kind, path, (("Content-Type", media_type),), json.dumps(content).encode())
    for kind, path, media_type, content in (
        ("array", "/predict/batch", "application/json", [ROW] * 100),
        ("v2", "/v2/models/notebook/infer", "application/json", {"inputs": []}),
        ("explain", "/explain?model=champion", "text/plain", ROW),
        ("v2", "/v2#x", "application/json", {}),
    )
]


def test_both_paths_send_and_log_the_same_503(tmp_path):
    log, program = tmp_path / "log", ("-c", ALWAYS_OVERDUE)
    with (
        log.open("wb") as stdout,
        serving("--access-log", "json", program=program, stdout=stdout) as server,
    ):
        pairs = asyncio.run(send_by_both_paths(server.port, VALID + OTHER_PATHS))
        server.stop()

    assert_alike(VALID + OTHER_PATHS, pairs)
    assert {whole.status for whole, _ in pairs} == {503}
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == 2 * len(pairs)
    for line in lines:
        del line["time"]
        assert line.pop("duration_ms") >= 0
    assert lines[::2] == lines[1::2]


@pytest.mark.parametrize("path", sorted(PROBES))
def test_probes_get_200_under_overload(overloaded, path):
    assert httpx.get(overloaded.url + path).status_code == 200


async def send_concurrently(port, requests, rounds):
    """Send each request `rounds` times on its own connection, all concurrently, and probe meanwhile.

    Returns the responses to each request, and the statuses of the probe.
    """
    connections = [Connection(port) for _ in requests]
    is_done = False

    async def send(connection, request):
        return [await connection.exchange(request) for _ in range(rounds)]

    async def probe():
        statuses = []
        with closing(Connection(port)) as connection:
            while not is_done:
                answer = await connection.exchange(PROBE)
                statuses.append(answer.status)
                await asyncio.sleep(0.05)
        return statuses

    probing = asyncio.create_task(probe())
    try:
        answers = await asyncio.gather(*map(send, connections, requests))
    finally:
        is_done = True
    for connection in connections:
        connection.close()
    return answers, await probing


def check_statuses(answers):
    """Check that every status is 200 or 503, and that both occur; returns their counts."""
    flat = [answer for several in answers for answer in several]
    for answer in flat:
        if answer.status == 503:
            assert answer.headers["retry-after"] == "1"
    counts = Counter(answer.status for answer in flat)
    assert counts.keys() == {200, 503}
    return counts


def test_too_many_requests_get_503_or_the_right_prediction_and_probes_get_200(
    server, champion, rng
):
    """400 requests of a few milliseconds each take too long for one event-loop iteration."""
    rows = np.array([[*ROW.values()]]).repeat(16, axis=0)
    rows[:, 0] = rng.uniform(1.0, 10.0, size=16)
    tensor = {"name": "features", "shape": [16, 8], "datatype": "FP64", "data": rows.tolist()}
    request = post("/v2/models/champion/infer", {"inputs": [tensor]})

    answers, probes = asyncio.run(send_concurrently(server.port, [request] * 400, rounds=3))

    counts = check_statuses(answers)
    expected = champion.predict(rows)
    for answer in (answer for several in answers for answer in several):
        if answer.status == 200:
            data = json.loads(answer.body)["outputs"][0]["data"]
            np.testing.assert_allclose(data, expected, rtol=1e-12)
    assert counts[200] >= 50
    assert set(probes) == {200}
    assert httpx.post(f"{server.url}/predict", json=ROW).status_code == 200


def test_of_too_many_concurrent_explanations_some_get_503_and_probes_get_200(server):
    request = post("/explain?model=champion", ROW)

    answers, probes = asyncio.run(send_concurrently(server.port, [request] * 20, rounds=1))

    counts = check_statuses(answers)
    assert counts[200] >= 8
    assert set(probes) == {200}


def test_of_too_many_concurrent_batches_those_beyond_the_limit_get_503(server):
    """Each batch has several slices, even on a fast machine."""
    columns = {name: [ROW[name]] * 500 for name in FEATURE_NAMES}
    request = post("/predict/batch?model=champion", columns)

    answers, probes = asyncio.run(send_concurrently(server.port, [request] * 100, rounds=1))

    counts = check_statuses(answers)
    assert counts[200] >= 64
    assert set(probes) == {200}


def test_small_batches_after_large_ones_are_not_rejected(server):
    large = post("/predict/batch?model=champion", {name: [ROW[name]] * 300 for name in ROW})
    tensor = {"name": "features", "shape": [1, 8], "datatype": "FP64", "data": [*ROW.values()]}
    small = post("/v2/models/notebook/infer", {"inputs": [tensor]})

    asyncio.run(send_concurrently(server.port, [large], rounds=8))
    answers, _ = asyncio.run(send_concurrently(server.port, [small] * 150, rounds=1))

    assert {answer.status for several in answers for answer in several} == {200}


async def overdue_after(requests, work):
    """Whether an event-loop iteration that admits some requests is overdue after some work."""
    shedder = LoadShedder()
    for _ in range(requests):
        shedder.admit()
    work()
    return shedder.is_overdue()


def use_cpu_time():
    started = time.thread_time()
    while time.thread_time() - started < 1.2 * MAX_ITERATION_SECONDS:
        pass


def be_suspended():
    time.sleep(1.2 * MAX_ITERATION_SECONDS)


def test_only_the_cpu_time_of_several_requests_makes_an_iteration_overdue():
    assert asyncio.run(overdue_after(MIN_REQUESTS, use_cpu_time))
    assert not asyncio.run(overdue_after(MIN_REQUESTS - 1, use_cpu_time))
    assert not asyncio.run(overdue_after(MIN_REQUESTS, be_suspended))


def test_each_event_loop_iteration_has_its_own_cpu_time():
    async def overdue_in_two_iterations():
        shedder = LoadShedder()
        for _ in range(MIN_REQUESTS):
            shedder.admit()
        use_cpu_time()
        first = shedder.is_overdue()
        await asyncio.sleep(0)
        return first, shedder.is_overdue()

    assert asyncio.run(overdue_in_two_iterations()) == (True, False)
