import http.client
import json
import os
import shutil
import signal
import socket
import threading
import time

import httpx
import pytest

from app.server.closing import drop_new_connections
from app.server.server import listen
from models import SAVED_MODELS
from models.saved_model.storage import save_model
from tests.support.pipes import read_line
from tests.support.rows import ROW
from tests.support.servers import run, serving, started
from tests.support.waiting import join_all

RESTARTS = int(os.environ.get("HOUSING_RESTARTS", "2"))  # `make fuzz` sets it higher

IMPORTS_AFTER_SERVING = """
import sys, asyncio, httpx
from app.main import create_app
assert "numpy" in sys.modules
async def main():
    transport = httpx.ASGITransport(create_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/openapi.json")).status_code == 200
asyncio.run(main())
absent = ("sklearn", "scipy", "pandas", "tqdm", "training", "dask", "distributed", "fsspec")
print([name for name in absent if name in sys.modules])
"""


def test_the_service_imports_neither_scikit_learn_nor_training():
    result = run("-c", IMPORTS_AFTER_SERVING)

    assert result.stdout == "[]\n", result.stderr


def test_importing_the_app_reads_no_model():
    """No model is read and no app is made until `create_app` is called."""
    result = run(
        "-c",
        "import sys\n"
        "sys.addaudithook(lambda event, args: print(args[0])\n"
        "    if event == 'open' and 'models/saved/' in str(args[0]) else None)\n"
        "import app.main, app.__main__",
    )

    assert (result.returncode, result.stdout) == (0, ""), result.stderr


def test_sigterm_ends_an_idle_server_with_exit_status_0():
    with serving() as server:
        assert server.workers == []  # one process by default
        assert server.stop() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_ends_a_server_with_exit_status_0(workers):
    with serving("--workers", workers) as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(timeout=15) == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_listener_that_drops_new_connections_keeps_established_ones(host):
    with listen(host, 0) as listener:
        address = listener.getsockname()[:2]
        made = socket.create_connection(address, timeout=15)
        drop_new_connections(listener)
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.5)
        listener.settimeout(15)
        accepted, _ = listener.accept()
        accepted.settimeout(15)
    with made, accepted:
        made.sendall(b"a request")
        accepted.sendall(b"its answer")
        assert (accepted.recv(64), made.recv(64)) == (b"a request", b"its answer")
        made.shutdown(socket.SHUT_WR)
        assert accepted.recv(64) == b""


@pytest.mark.parametrize("workers", [str(1 + restart % 2) for restart in range(RESTARTS)])
def test_sigterm_fails_readiness_first_and_completes_every_accepted_request(workers):
    """Eight clients send continuously on kept connections; only new connections may be refused."""
    answered, lost, unready = [], [], []

    def send_until_refused(port):
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
            try:
                connection.connect()
            except ConnectionRefusedError:
                return
            try:
                while True:
                    connection.request("POST", "/predict", json.dumps(ROW), headers)
                    response = connection.getresponse()
                    response.read()
                    answered.append(response.status)
                    if response.will_close:
                        break
            except (OSError, http.client.HTTPException) as error:
                lost.append(error)
                return
            finally:
                connection.close()

    headers = {"content-type": "application/json"}
    with serving("--workers", workers) as server, httpx.Client(base_url=server.url) as probe:
        clients = [
            threading.Thread(target=send_until_refused, args=(server.port,), daemon=True)
            for _ in range(8)
        ]
        for client in clients:
            client.start()
        time.sleep(0.5)
        assert probe.get("/readyz").status_code == 200  # and keeps its connection
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        unready.append(probe.get("/readyz"))
        status = server.process.wait(timeout=15)
        join_all(clients)

    assert status == 0
    assert set(answered) == {200}
    assert len(answered) > 100
    assert lost == []
    assert unready[0].status_code == 503
    assert unready[0].headers["retry-after"] == "1"
    assert unready[0].headers["content-type"] == "application/problem+json"


def test_a_head_half_sent_at_sigterm_gets_its_response_when_the_rest_arrives():
    request = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"

    with serving() as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=15) as connection:
            connection.sendall(request[:20])
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(3)
            connection.sendall(request[20:])
            answer = connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"connection: close" in answer.lower()
        assert server.process.wait(timeout=15) == 0


def test_a_half_sent_body_does_not_hold_up_the_exit():
    with (
        serving() as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=15) as connection,
    ):
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: test\r\ncontent-type: application/json\r\n"
            b"content-length: 100\r\n\r\n{"
        )
        time.sleep(0.3)
        started = time.monotonic()

        assert server.stop() == 0
        assert time.monotonic() - started < 10
        assert server.remaining_lines() == (
            "Closed connections with incomplete requests 6 seconds after the signal: 1\n"
        )


def test_no_response_has_a_server_header(client):
    assert "server" not in client.get("/livez").headers


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["serve", "--port", "http"], "argument --port: must be a whole number from 0 to 65535"),
        (["serve", "--workers", "0"], "argument --workers: must be a whole number from 1 to 256"),
        (["serve", "--port", "65536"], "argument --port: must be a whole number from 0 to 65535"),
        (["serve", "--host", "300.1.1.1", "--port", "0"], "must be an address to listen on"),
        (["serve", "--colour"], "unrecognized arguments"),
        (["bake"], "invalid choice"),
        ([], "required: COMMAND"),
        (["predict"], "required: FILE"),
        (["serve", "--port", "9" * 5000], "argument --port: must be a whole number"),
        (
            ["predict", "absent.csv", "--output", "./absent.csv"],
            "--output must differ from the input file",
        ),
        (["predict", "absent.csv"], "absent.csv must be a readable file: No such file"),
    ],
)
def test_invalid_arguments_give_a_one_line_error_and_exit_status_2(arguments, says):
    result = run("-m", "app", *arguments)

    assert result.returncode == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_port_in_use_gives_a_one_line_error_and_exit_status_2(server):
    result = run("-m", "app", "serve", "--port", str(server.port))

    assert result.returncode == 2
    assert result.stderr.startswith(
        f"python -m app: 127.0.0.1:{server.port} must be an address to listen on: "
        "Address already in use"
    )
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["predict", "rows.csv"]])
def test_a_missing_or_damaged_model_gives_a_one_line_error_and_exit_status_3(command, tmp_path):
    shutil.copytree(SAVED_MODELS / "notebook", tmp_path / "notebook")
    manifest = tmp_path / "notebook" / "model.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"0.9", b"0.8", 1))

    for arguments, says in [
        (
            ["--models", str(tmp_path / "absent")],
            "must be a directory of saved models, but it is not one",
        ),
        (
            ["--models", str(SAVED_MODELS / "notebook")],
            "got a saved model. Name its parent directory.",
        ),
        (
            ["--default", "other"],
            "No default model: expected other, found champion, notebook. Choose one with --default champion.",
        ),
        (["--models", str(tmp_path)], "model.json must match its seal"),
    ]:
        result = run("-m", "app", *command, *arguments)
        assert result.returncode == 3
        assert says in result.stderr
        assert result.stderr.count("\n") == 1


def test_directory_and_default_model_can_be_set_by_options_and_variables(
    tmp_path, row, saved, other_model
):
    shutil.copytree(SAVED_MODELS / "notebook", tmp_path / "first")
    save_model(tmp_path / "second", other_model, saved.card, saved.golden_rows)
    variables = {"HOUSING_MODELS": str(tmp_path), "HOUSING_DEFAULT": "second"}

    with serving("--models", str(tmp_path), "--default", "first") as server:
        first = httpx.post(f"{server.url}/predict", json=row).json()
        second = httpx.post(f"{server.url}/predict?model=second", json=row).json()
        metrics = httpx.get(f"{server.url}/metrics").json()
    with started("-m", "app", "serve", "--port", "0", environment=variables) as process:
        greeting = read_line(process.stderr)

    assert first["model"].startswith("first@")
    assert second["model"].startswith("second@")
    assert first["prediction"] != second["prediction"]
    assert metrics["model"] == first["model"]
    assert set(metrics["models"]) == {"first", "second"}
    assert greeting.startswith(f"Serving {second['model']} on http://127.0.0.1:")


def test_the_health_check_imports_neither_the_web_framework_nor_numpy():
    """Because Docker starts it every few seconds."""
    result = run(
        "-c",
        "import sys\n"
        "from app.__main__ import main\n"
        "main(['healthcheck', '--port', '1'])\n"
        "print([name for name in ('fastapi', 'pydantic', 'numpy') if name in sys.modules])",
    )

    assert result.stdout == "[]\n", result.stderr


def test_the_health_check_succeeds_only_with_a_ready_server(server):
    ready = run("-m", "app", "healthcheck", "--port", str(server.port))
    everywhere = run("-m", "app", "healthcheck", "--host", "0.0.0.0", "--port", str(server.port))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        absent = run("-m", "app", "healthcheck", "--port", str(unused.getsockname()[1]))

    no_host = [run("-m", "app", "healthcheck", "--host", host) for host in ("a b", "a" * 100)]

    assert (ready.returncode, ready.stderr) == (0, "")
    assert [result.returncode for result in no_host] == [1, 1]
    assert everywhere.returncode == 0
    assert absent.returncode == 1
    assert absent.stderr.endswith("is not ready\n")
