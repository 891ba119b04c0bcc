"""Three real replicas behind a real HAProxy with deploy/haproxy.cfg, rolled and killed under load.

The replicas listen on addresses of their own (127.0.0.2 and up), so that no client's connection can
take the port of a replica that is being replaced.
"""

import os
import re
import shutil
import signal
from itertools import cycle

import httpx
import pytest

from app.server.config import KEEP_ALIVE_SECONDS
from app.server.server import DRAIN_SECONDS
from models import SAVED_MODELS
from models.saved_model.storage import save_model
from tests.support.load import expected_response, under_load
from tests.support.programs import find_program
from tests.support.replicas import CONFIG, Replicas, free_port, proxy_of
from tests.support.rows import ROW

ROLLS = int(os.environ.get("HOUSING_ROLLS", "1"))
RETRIES = "  retry-on conn-failure empty-response\n"


@pytest.fixture
def replicas(tmp_path):
    find_program("haproxy", package="haproxy")  # skips before any setup
    shutil.copytree(SAVED_MODELS / "notebook", tmp_path / "models" / "notebook")
    with Replicas(tmp_path / "models") as replicas:
        yield replicas


def kill_with_requests_in_flight(replicas, proxy, index):
    """Stop a replica so that its requests stay in flight, then kill it; returns their number."""
    process = replicas.servers[index].process
    process.send_signal(signal.SIGSTOP)
    for _ in range(2):  # again, after the responses that it had already sent
        rows = proxy.wait_for(lambda rows: int(rows[index]["scur"]) > 0)
    process.kill()
    process.wait(timeout=15)
    return int(rows[index]["scur"])


def test_no_request_is_lost_while_replicas_are_rolled_and_killed(
    replicas, tmp_path, saved, other_model
):
    """On kept and on new connections; the proxy retries requests in flight at a killed replica."""
    directory = replicas.models / "notebook"
    answers = [expected_response(directory)]
    in_flight = 0
    with (
        proxy_of(replicas.addresses, tmp_path) as proxy,
        under_load(proxy.port, keeping=5, connecting=3, pause=0.01) as load,
    ):
        load.wait_for(100)
        for model, _ in zip(cycle([other_model, saved.model]), range(ROLLS), strict=False):
            load.expected = None
            save_model(directory, model, saved.card, saved.golden_rows)
            answers.append(expected_response(directory))
            for index, server in enumerate(replicas.servers):
                assert server.stop() == 0
                replicas.replace(index)
                proxy.wait_for_states("L7OK", "L7OK", "L7OK")
            load.expected = answers[-1]
            load.wait_for(100)

            tries = proxy.retries()
            killed = kill_with_requests_in_flight(replicas, proxy, 0)
            proxy.wait_for_states("L4CON", "L7OK", "L7OK")
            assert proxy.retries() >= tries + killed > tries
            in_flight += killed
            load.wait_for(100)
            if len(answers) <= ROLLS:
                replicas.replace(0)
                proxy.wait_for_states("L7OK", "L7OK", "L7OK")
        server_errors = proxy.count("hrsp_5xx")

    print(
        f"{len(load.answers):,} requests, {in_flight} of them in flight in a killed replica, 0 lost"
    )
    assert (load.lost, load.wrong, server_errors) == ([], [], 0)
    assert all(content in answers for content in load.answers)
    assert answers[0] in load.answers
    assert load.answers[-1] == answers[-1]


def test_without_retries_the_requests_in_flight_at_a_killed_replica_are_lost(replicas, tmp_path):
    """Shows that the test above depends on the proxy's retries."""
    with (
        proxy_of(replicas.addresses, tmp_path, CONFIG.replace(RETRIES, "")) as proxy,
        under_load(proxy.port) as load,
    ):
        load.wait_for(100)
        kill_with_requests_in_flight(replicas, proxy, 0)
        proxy.wait_for_states("L4CON", "L7OK", "L7OK")

    assert RETRIES in CONFIG
    assert load.lost


def test_the_proxys_own_errors_have_the_format_of_the_services_errors(tmp_path):
    with proxy_of([f"127.0.0.2:{free_port()}" for _ in range(3)], tmp_path) as proxy:
        proxy.wait_for_states("L4CON", "L4CON", "L4CON")
        nobody = httpx.post(f"{proxy.url}/predict", json=ROW)
        reloads = [
            httpx.post(f"{proxy.url}{path}")
            for path in ("/models/notebook/reload", "/models/a%20b/%72eload")
        ]

    assert nobody.status_code == 503
    assert nobody.headers["retry-after"] == "1"
    assert [response.status_code for response in reloads] == [403, 403]
    for response in (nobody, *reloads):
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == response.status_code
        assert response.json().keys() == {"type", "title", "status", "detail"}
        assert response.json()["detail"].endswith(".")


def test_the_proxy_notices_a_shutdown_in_time_and_closes_idle_connections_first():
    def milliseconds(setting):
        number, unit = re.search(rf"{setting} (\d+)(ms|s)\b", CONFIG).groups()
        return int(number) * {"ms": 1, "s": 1000}[unit]

    fall = int(re.search(r"fall (\d+)", CONFIG)[1])
    until_it_falls = milliseconds(" inter") + (fall - 1) * milliseconds(" fastinter")

    assert until_it_falls < DRAIN_SECONDS * 1000
    assert milliseconds("timeout http-keep-alive") < KEEP_ALIVE_SECONDS * 1000
    assert milliseconds("timeout server") < KEEP_ALIVE_SECONDS * 1000
