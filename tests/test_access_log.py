import asyncio
import json
import os
import re
import signal
import socket
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import pytest

from app.access.api_keys import key_line
from app.main import create_app
from app.observability.access_log import FLUSH_SECONDS, Line, as_json
from tests.support.headers import KEY, TRACE, bearer
from tests.support.pipes import read_lines
from tests.support.rows import ROW
from tests.support.servers import new_connections, serving
from tests.support.waiting import wait_until

FIELDS = [
    *("time", "client", "method", "route", "path", "status", "duration_ms", "bytes"),
    *("model", "key", "request_id", "traceparent"),
]
NEW_ID = "[0-9a-f]{32}"


@pytest.mark.parametrize("sent", ["a", "4f2c:9/x+y=@._-", "x" * 128])
def test_a_safe_request_id_is_returned(client, sent):
    assert client.get("/livez", headers={"x-request-id": sent}).headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", [None, "", "x" * 129, "a b", "a\tb", '"', "<script>", "é"])
def test_a_missing_or_unsafe_request_id_is_replaced_by_a_new_one(client, sent):
    headers = {} if sent is None else {"x-request-id": sent.encode()}
    ids = {client.get("/livez", headers=headers).headers["x-request-id"] for _ in range(20)}

    assert len(ids) == 20
    assert all(re.fullmatch(NEW_ID, new) for new in ids)


def test_error_responses_have_a_request_id(client):
    for response in (
        client.post("/predict", json={}),
        client.get("/unknown"),
        client.delete("/predict"),
        client.get("/v2/unknown"),
        client.head("/docs"),
    ):
        assert re.fullmatch(NEW_ID, response.headers["x-request-id"])


def test_an_internal_error_has_the_request_id_and_the_security_headers():
    app = create_app(default="notebook")

    async def fail():
        raise RuntimeError

    app.add_api_route("/fail", fail)

    async def send():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/fail", headers={"x-request-id": "mine"})

    response = asyncio.run(send())

    assert response.status_code == 500
    assert response.headers.get_list("x-request-id") == ["mine"]
    assert response.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.fixture
def log(tmp_path):
    """A file for the standard output, and its content."""
    file = tmp_path / "log"

    class Log:
        def __enter__(self):
            self.stream = file.open("wb")
            return self.stream

        def __exit__(self, *_):
            self.stream.close()

        @property
        def text(self):
            return file.read_text()

        @property
        def lines(self):
            return [json.loads(line) for line in self.text.splitlines()]

    return Log()


def test_a_log_line_has_every_field_of_a_request(log, keys_file):
    headers = {**bearer(KEY), "x-request-id": "mine", "traceparent": TRACE}
    with (
        log as stdout,
        serving("--access-log", "json", "--api-keys-file", str(keys_file), stdout=stdout) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        answer = client.post("/predict?model=notebook", json=ROW, headers=headers)
        client.get("/models/notebook", headers=bearer(KEY))
        client.get("/models", headers={"traceparent": TRACE.replace("00-", "ff-")})
        client.get("/no%20such/" + "x" * 500 + "?MedInc=8.3252", headers=bearer(KEY))
        client.post("/predict/batch", json=[ROW] * 3, headers=bearer(KEY))
        assert server.stop() == 0

    first, model, rejected, unknown, batch = log.lines
    assert [*first] == FIELDS
    began = datetime.fromisoformat(first["time"])
    assert timedelta(0) <= datetime.now(UTC) - began < timedelta(minutes=1)
    assert first["time"].endswith("Z")
    assert 0 < first["duration_ms"] < 10_000
    assert {**first, "time": 0, "duration_ms": 0} == {
        "time": 0,
        "client": "127.0.0.1",
        "method": "POST",
        "route": "/predict",
        "path": None,
        "status": 200,
        "duration_ms": 0,
        "bytes": len(answer.content),
        "model": answer.json()["model"],
        "key": "alice",
        "request_id": "mine",
        "traceparent": TRACE,
    }
    assert (model["route"], model["path"], model["model"]) == ("/models/{name}", None, None)
    assert (rejected["route"], rejected["path"]) == (None, "/models")
    assert (rejected["status"], rejected["key"], rejected["traceparent"]) == (401, None, None)
    assert (unknown["status"], unknown["path"]) == (404, "/no%20such/" + "x" * 89)
    assert batch["model"].startswith("champion@")
    assert re.fullmatch(NEW_ID, batch["request_id"])


def test_a_request_rejected_or_abandoned_before_its_end_is_logged_once(log):
    """A slow body, a client that disconnects, invalid headers, and bytes that are not HTTP."""
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nX-Request-ID: mine\r\n"
    head += b"Content-Type: application/json\r\nContent-Length: 160\r\n"
    broken = [
        head + b"\r\n{",
        head.replace(b"160", b"-5") + b"\r\n",
        b"HEAD /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"\x16\x03\x01",
    ]
    answers = []
    with log as stdout, serving("--access-log", "json", stdout=stdout) as server:
        address = ("127.0.0.1", server.port)
        with socket.create_connection(address, timeout=15) as leaving:
            leaving.sendall(head + b"\r\n{")
            time.sleep(0.3)
        for sent in broken:
            with socket.create_connection(address, timeout=15) as connection:
                connection.sendall(sent)
                answers.append(b"".join(iter(partial(connection.recv, 65536), b"")))
        metrics = httpx.get(f"{server.url}/metrics", headers={"accept": "text/plain"}).text
        assert server.stop() == 0

    compared = ("method", "route", "path", "status", "bytes", "request_id")
    left, slow, *malformed = [tuple(line[name] for name in compared) for line in log.lines[:-1]]
    assert left == ("POST", "/predict", None, 499, 0, "mine")
    assert slow[:4] == ("POST", None, "/predict", 408)
    assert slow[5] == "mine"
    assert [line[:4] for line in malformed] == [
        ("POST", None, "/predict", 400),
        ("GET", None, "/livez", 400),
        (None, None, None, 400),
    ]
    assert [b"x-request-id: mine" in answer for answer in answers] == [True, True, False, False]
    assert answers[2].endswith(b"\r\n\r\n")  # HEAD has no body
    counted = re.findall(r'requests_total{code="(4..)",method="POST",route="(.*)"} (\S+)', metrics)
    assert sorted(counted) == [
        ("400", "unmatched", "1.0"),
        ("408", "unmatched", "1.0"),
        ("499", "/predict", "1.0"),
    ]


def test_no_secret_appears_in_logs_or_responses(log, keys_file, monkeypatch):
    """No key, token, feature or query is in the log, on standard error or in a response."""
    row = {**ROW, "Population": 31415.9265}
    token, wrong = "the-token-of-the-admin", "housing_wrong-key-of-somebody"
    monkeypatch.setenv("HOUSING_ADMIN_TOKEN", token)
    texts = []
    with (
        log as stdout,
        serving("--access-log", "json", "--api-keys-file", str(keys_file), stdout=stdout) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        for key in (KEY, wrong, token):
            for headers in (bearer(key), {"x-api-key": key}):
                for address in ("/predict?key=sesame", "/v2/models/notebook/infer?key=sesame"):
                    for body in (row, {**row, "HouseAge": 4321.5}, {**row, "Secret": "sesame"}):
                        response = client.post(address, json=body, headers=headers)
                        texts += [response.text, str(response.headers)]
                texts.append(client.post("/models/notebook/reload", headers=headers).text)
        server.process.send_signal(signal.SIGHUP)
        texts += [server.next_line() for _ in range(2)]
        server.stop()
        texts.append(server.remaining_lines())

    assert len(log.lines) == 42
    everything = "\n".join([*texts, log.text])
    for secret in (
        KEY,
        wrong,
        token,
        key_line("", KEY),
        "sesame",
        "8.3252",
        "31415.9265",
        "4321.5",
    ):
        assert secret not in everything


def test_the_text_log_is_readable_and_written_while_the_server_runs(log, monkeypatch):
    monkeypatch.setenv("HOUSING_ACCESS_LOG", "text")
    with log as stdout, serving(stdout=stdout) as server:
        httpx.get(f"{server.url}/livez", headers={"x-request-id": "mine"})
        httpx.request("PROPFIND", f"{server.url}/no?a=b", headers={"x-request-id": "mine"})
        wait_until(lambda: log.text.count("\n") == 2)

    first, second = log.text.splitlines()
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(rf"{time} 127\.0\.0\.1 GET /livez 200 \d+\.\d+ms 18 - - mine -", first)
    assert re.fullmatch(rf"{time} 127\.0\.0\.1 PROPFIND /no 404 \d+\.\d+ms \d+ - - mine -", second)


def test_two_workers_write_every_log_line_whole_and_every_request_id_once():
    """Through a pipe, which accepts at most 4 KiB of one process at a time."""
    read, write = os.pipe()
    with serving("--workers", "2", "--access-log", "json", stdout=write) as server:
        with new_connections(server) as client:
            ids = [client.get("/livez").headers["x-request-id"] for _ in range(100)]
        assert server.stop() == 0
    os.close(write)
    with os.fdopen(read) as pipe:
        logged = [json.loads(line)["request_id"] for line in read_lines(pipe)]

    assert len({*ids}) == 100
    assert sorted(logged) == sorted(ids)


def test_a_full_or_closed_log_pipe_does_not_block_requests():
    """First the pipe is full, then its reader closes it; the server still stops cleanly."""
    read, write = os.pipe()
    with (
        serving("--access-log", "json", stdout=write) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        for _ in range(400):  # some 100 KB, which no pipe holds
            assert client.get("/livez").status_code == 200
        os.close(read)
        assert client.get("/livez").status_code == 200
        assert server.stop() == 0
    os.close(write)


def test_an_unwritable_log_is_reported_once_and_does_not_fail_requests():
    full = os.open("/dev/full", os.O_WRONLY)
    with serving("--access-log", "json", stdout=full) as server:
        os.close(full)
        for _ in range(3):
            assert httpx.get(f"{server.url}/livez").status_code == 200
            time.sleep(2 * FLUSH_SECONDS)
        assert server.stop() == 0
        assert server.remaining_lines() == (
            "Cannot write the access log: No space left on device.\n"
        )


def test_there_is_no_access_log_by_default(log):
    with log as stdout, serving(stdout=stdout) as server:
        httpx.get(f"{server.url}/livez")
        server.stop()

    assert log.text == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"route": "/predict", "model": "notebook@12345678", "key": "alice"},
        {"route": "/predict", "seconds": 0.0123, "headers": [(b"traceparent", TRACE.encode())]},
        {"path": b'/"\\ \xff' + b"x" * 200, "client": None, "method": ""},
        {"path": b"", "seconds": 12345.6789, "status": 503},
    ],
)
def test_the_fast_json_encoder_of_log_lines_equals_the_plain_one(fields):
    known = {"client": "::1", "method": "POST", "headers": [], "request_id": b"a:b"}
    line = Line(**{**known, "status": 200, "seconds": 0.0, "size": 160, **fields})

    written, expected = json.loads(as_json(line)), line.to_json()

    assert [*written] == FIELDS
    assert written.pop("time")[:10] == expected.pop("time")[:10]
    assert written == expected
