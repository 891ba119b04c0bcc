"""The fast path of POST /predict responds as FastAPI does, byte for byte.

A chunked body never takes the fast path, so each request is sent both whole and chunked.
"""

import asyncio
import json
import socket
import time
from dataclasses import replace
from itertools import product

import pytest
from uvicorn.server import ServerState

from app.access.policy import AccessPolicy
from app.main import create_app
from app.observability.access_log import AccessLog
from app.server.fast_path import FastPath
from app.server.micro_batch import MAX_MICRO_BATCH, MicroBatcher
from models import SAVED_MODELS
from tests.fuzz.client import Connection
from tests.fuzz.requests import make_case
from tests.support.headers import KEY, TRACE
from tests.support.hostile import HOSTILE
from tests.support.rows import ROW
from tests.support.servers import serving
from tests.support.two_paths import (
    JSON,
    REQUEST_ID,
    TEXT,
    VALID,
    assert_alike,
    predict_case,
    send_by_both_paths,
)

SEED, CASES = 20261125, 6000


INVALID = [
    *(predict_case(body) for body in HOSTILE.values() if len(body) < 60_000),
    *(predict_case(TEXT, f"/predict?{query}") for query in ("", "level=0.85", "model=", "level=0.9&level=0.9", "a=1", "level=.9")),
    *(predict_case(TEXT, headers=headers) for headers in (
        (),
        (("Content-Type", "text/csv"),),
        (("Content-Type", "application/json; charset=latin-1"),),
        (JSON, ("Content-Encoding", "gzip")),
        (JSON, ("Content-Encoding", "identity")),
        (JSON, JSON),
        (("Content-Type", "text/csv"), JSON),
    )),
]  # fmt: skip
"""Rejected, or so unusual that FastAPI responds."""

MUTATED = [
    replace(case, path=case.path.replace("/explain", "/predict"))
    for case in (make_case(SEED, index) for index in range(CASES))
    if case.kind in ("predict", "explain") and case.framing != "broken" and len(case.body) < 60_000
]


@pytest.mark.parametrize(
    ("cases", "statuses"),
    [(VALID, {200}), (INVALID, {200, 404, 415, 422}), (MUTATED, {200, 404, 415, 422})],
    ids=["valid", "invalid", "mutated"],
)
def test_both_paths_give_the_same_status_headers_and_body(server, cases, statuses):
    pairs = asyncio.run(send_by_both_paths(server.port, cases))

    assert_alike(cases, pairs)
    assert {whole.status for whole, _ in pairs} == statuses


@pytest.fixture(scope="module")
def fast_path():
    return FastPath(create_app(SAVED_MODELS, "notebook").state)


def parsed(fast_path, case):
    headers = [(name.lower().encode(), value.encode()) for name, value in case.headers]
    return fast_path.parse(b"POST", case.path.encode(), headers, case.body, None)


def response_to(fast_path, case):
    pending = parsed(fast_path, case)
    return pending and fast_path.respond([pending], [])[0]


@pytest.mark.parametrize("case", VALID, ids=range(len(VALID)))
def test_the_fast_path_responds_to_a_valid_request(fast_path, case):
    assert response_to(fast_path, case).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("case", INVALID, ids=range(len(INVALID)))
def test_the_fast_path_leaves_an_invalid_or_unusual_request_to_fastapi(fast_path, case):
    assert response_to(fast_path, case) is None


@pytest.mark.parametrize("method", [b"GET", b"PUT", b"post"])
def test_the_fast_path_leaves_other_methods_to_fastapi(fast_path, method):
    headers = [(b"content-type", b"application/json")]

    assert fast_path.parse(b"POST", b"/predict", headers, TEXT.encode(), None) is not None
    assert fast_path.parse(method, b"/predict", headers, TEXT.encode(), None) is None


def test_the_fast_path_counts_as_fastapi_does(server, client):
    def counted():
        text = client.get("/metrics", headers={"accept": "text/plain"}).text
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {
            name: float(value)
            for name, value in lines
            if '"/predict"' in name or name.startswith(("housing_predi", "housing_feature"))
            if "_seconds_sum" not in name and "seconds_bucket" not in name
        }

    old = predict_case(TEXT.replace("41.0", "150"))  # outside its training range
    differences = []
    for framing in ("length", "chunked"):
        before = counted()
        asyncio.run(send_three_times(server.port, replace(old, framing=framing)))
        after = counted()
        differences.append({name: after[name] - before.get(name, 0) for name in after})

    short, long = differences
    assert short == pytest.approx(long)
    assert short['housing_http_requests_total{code="200",method="POST",route="/predict"}'] == 3
    assert short['housing_feature_out_of_range_total{feature="HouseAge",side="above"}'] == 3


async def send_three_times(port, case):
    connection = Connection(port)
    for _ in range(3):
        assert (await connection.exchange(case.to_bytes())).status == 200
    connection.close()


@pytest.mark.parametrize("model", ["notebook", "champion"])
def test_pipelined_requests_get_responses_in_order_from_both_paths(server, model):
    """Requests of both paths and invalid ones, sent at once by a client that then half-closes."""
    right = predict_case(TEXT, f"/predict?model={model}")
    cases = [right, replace(right, framing="chunked"), right, predict_case("{}")] * 40
    cases = [
        replace(case, headers=(*case.headers, ("X-Request-ID", str(index))))
        for index, case in enumerate(cases)
    ]

    async def pipeline():
        connection = Connection(server.port)
        return await connection.exchange_all(b"".join(case.to_bytes() for case in cases))

    answers = asyncio.run(pipeline())

    assert [answer.headers["x-request-id"] for answer in answers] == [*map(str, range(len(cases)))]
    assert [answer.status for answer in answers] == [200, 200, 200, 422] * 40


def some_rows(rng, count):
    """Distinct rows near ROW."""
    factors = rng.uniform(0.9, 1.1, size=(count, len(ROW)))
    factors[:, -2:] = rng.uniform(0.99, 1.01, size=(count, 2))  # the place
    return [dict(zip(ROW, values, strict=True)) for values in (factors * [*ROW.values()]).tolist()]


def test_concurrent_requests_get_the_same_bytes_as_single_ones(server, rng):
    paths = ["/predict?model=champion", "/predict?model=champion&level=0.5", "/predict"]
    cases = [
        replace(predict_case(json.dumps(row), paths[index % 3]), headers=(JSON, REQUEST_ID))
        for index, row in enumerate(some_rows(rng, 300))
    ]

    async def send(together):
        connections = [Connection(server.port) for _ in cases[:together]]
        answers = []
        for start in range(0, len(cases), together):
            some = zip(connections, cases[start : start + together], strict=True)
            answers += await asyncio.gather(
                *(connection.exchange(case.to_bytes()) for connection, case in some)
            )
        for connection in connections:
            connection.close()
        return [(answer.status, answer.body) for answer in answers]

    together = asyncio.run(send(100))

    assert together == asyncio.run(send(1))
    assert {status for status, _ in together} == {200}


class Recipient:
    """A connection that records the responses sent over it."""

    server_state = ServerState()

    def __init__(self):
        self.responses = []

    def send_fast_response(self, response):
        self.responses.append(response)


def test_a_micro_batch_is_predicted_at_the_end_of_the_iteration_or_when_it_is_full(fast_path):
    recipient, batcher = Recipient(), MicroBatcher(fast_path)
    case = predict_case(TEXT, "/predict?model=champion")

    async def responses_after(submitted):
        for _ in range(submitted):
            batcher.submit(recipient, parsed(fast_path, case))
        before_end = len(recipient.responses)
        await asyncio.sleep(0)
        return before_end, len(recipient.responses)

    assert asyncio.run(responses_after(submitted=3)) == (0, 3)
    submitted = MAX_MICRO_BATCH + 1
    assert asyncio.run(responses_after(submitted)) == (3 + MAX_MICRO_BATCH, 3 + submitted)


def test_only_requests_to_a_batch_invariant_model_wait_for_others(fast_path):
    waits = [
        parsed(fast_path, predict_case(TEXT, f"/predict?model={model}")).can_wait
        for model in ("notebook", "champion")
    ]

    assert waits == [False, True]


def test_requests_of_several_levels_get_the_same_bytes_alone_and_in_a_batch(fast_path, rng):
    paths = ["/predict?model=champion", "/predict?model=champion&level=0.5"] * 10
    batch = [
        parsed(fast_path, predict_case(json.dumps(row), path, headers=(JSON, REQUEST_ID)))
        for path, row in zip(paths, some_rows(rng, 20), strict=True)
    ]

    together = fast_path.respond(batch, [])

    assert together == [fast_path.respond([pending], [])[0] for pending in batch]
    assert None not in together


@pytest.mark.parametrize("count", [1, 5, MAX_MICRO_BATCH + 8])
def test_a_client_that_half_closes_gets_every_response_and_then_the_end_of_the_stream(
    server, count
):
    cases = [
        predict_case(TEXT, "/predict?model=champion", headers=(JSON, ("X-Request-ID", str(index))))
        for index in range(count)
    ]
    sent = b"".join(case.to_bytes() for case in cases)

    answers = asyncio.run(Connection(server.port).exchange_all(sent))

    assert [answer.headers["x-request-id"] for answer in answers] == [*map(str, range(count))]


def test_a_request_before_malformed_bytes_gets_its_response_first(server):
    sent = predict_case(TEXT, "/predict?model=champion").to_bytes() + b"\0 / HTTP/1.1\r\n\r\n"

    answers = asyncio.run(Connection(server.port).exchange_all(sent))

    assert [answer.status for answer in answers] == [200, 400]


WITH_FAILING_MODEL = """
import sys
from math import nan
from app.__main__ import main
from models.house_price import HousePriceModel, RowPrediction
predict_row, predict_rows = HousePriceModel.predict_row, HousePriceModel.predict_rows

def fail_or(answer, row):
    if row[0] == 1:
        raise MemoryError
    return RowPrediction(nan, nan, nan, []) if row[0] == 2 else answer()

HousePriceModel.predict_row = lambda self, row, level: fail_or(
    lambda: predict_row(self, row, level), row
)
HousePriceModel.predict_rows = lambda self, rows, level: [
    fail_or(lambda: answer, row) for row, answer in zip(rows, predict_rows(self, rows, level))
]
sys.exit(main())
"""
"""The service with a model that raises an error at one income, and predicts NaN at another."""


@pytest.mark.parametrize("model", ["notebook", "champion"])
@pytest.mark.parametrize("income", [1, 2])
def test_a_failing_request_does_not_affect_others_at_the_same_time(model, income):
    path = f"/predict?model={model}"
    right, failing = (
        predict_case(TEXT, path),
        predict_case(TEXT.replace("8.3252", str(income)), path),
    )
    with serving(program=("-c", WITH_FAILING_MODEL)) as server:

        async def send():
            cases = [right] * 5 + [failing] + [right] * 5
            connections = [Connection(server.port) for _ in cases]
            for connection in connections:  # opened first, so that the requests arrive together
                await connection.exchange(right.to_bytes())
            together = await asyncio.gather(
                *(
                    connection.exchange(case.to_bytes())
                    for connection, case in zip(connections, cases, strict=True)
                )
            )
            for connection in connections:
                connection.close()
            sent = b"".join(case.to_bytes() for case in (right, failing, right))
            return together, await Connection(server.port).exchange_all(sent)

        together, pipelined = asyncio.run(send())

    assert [answer.status for answer in together] == [200] * 5 + [500] + [200] * 5
    assert [answer.status for answer in pipelined] == [200, 500]  # the 500 closes the connection


WITH_KEY = ("X-API-Key", KEY)
ADMITTED = [
    (JSON, WITH_KEY),
    (JSON, ("Authorization", f"Bearer {KEY}")),
    (JSON, ("X-API-Key", "another"), WITH_KEY, ("traceparent", TRACE)),
]
NOT_ADMITTED = [(JSON,), (JSON, ("X-API-Key", KEY[:-1])), (JSON, ("Authorization", KEY))]
PAGE = "https://page.example"
CORS = {
    "no origins": (),
    "one origin": (PAGE,),
    "several origins": ("https://a.example", PAGE, "http://localhost:3000"),
    "every origin": ("*",),
}
ORIGINS = [
    (),
    *((("Origin", origin),) for origin in (PAGE, "https://other.example", "null", "", "*")),
    (("Origin", PAGE), ("Origin", "https://other.example")),
    (("Origin", "https://other.example"), ("Origin", PAGE)),
]


@pytest.mark.parametrize("cors", CORS)
@pytest.mark.parametrize(
    ("host", "headers", "is_allowed"),
    [
        *(("a.example:80", headers, True) for headers in ADMITTED),
        *(("a.example:80", headers, False) for headers in NOT_ADMITTED),
        *(("b.example", headers, False) for headers in ADMITTED),
    ],
)
def test_the_fast_path_responds_to_allowed_requests_under_every_access_policy(
    host, headers, is_allowed, cors, keys_file
):
    policy = AccessPolicy(keys_file, ("a.example",), CORS[cors])
    app = create_app(SAVED_MODELS, "notebook", access=policy, log=AccessLog("json"))
    fast_path = FastPath(app.state)

    for origin in ORIGINS:
        case = predict_case(TEXT, headers=(("Host", host), *headers, *origin))
        assert (response_to(fast_path, case) is not None) == is_allowed


@pytest.mark.parametrize("cors", CORS)
@pytest.mark.parametrize(
    ("host", "statuses"),
    [("fuzz", {True: 200, False: 401}), ("a.example", {True: 400, False: 400})],
)
def test_under_an_access_policy_both_paths_give_equal_responses_and_log_lines(
    host, statuses, cors, keys_file, tmp_path
):
    sent = [*product((*ADMITTED, *NOT_ADMITTED), ORIGINS)]
    cases = [predict_case(TEXT, headers=headers + origin) for headers, origin in sent]
    options = ["--allowed-hosts", host, "--api-keys-file", str(keys_file)]
    options += ["--access-log", "json"]
    options += ["--cors-origins", ",".join(CORS[cors])] if CORS[cors] else []
    log = tmp_path / "log"
    with log.open("wb") as stdout, serving(*options, stdout=stdout) as server:
        pairs = asyncio.run(send_by_both_paths(server.port, cases))
        server.stop()

    assert_alike(cases, pairs)
    expected = [statuses[headers in ADMITTED] for headers, _ in sent]
    assert [whole.status for whole, _ in pairs] == expected
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert all(line.pop("time") for line in lines)
    assert all(line.pop("duration_ms") > 0 for line in lines)
    assert lines[::2] == lines[1::2]
    assert [line["key"] == "alice" for line in lines[::2]] == [status == 200 for status in expected]
    assert {line["traceparent"] for line in lines} == {None, TRACE}


def test_an_allowed_origin_gets_the_cors_headers_on_the_fast_path(keys_file):
    app = create_app(SAVED_MODELS, "notebook", access=AccessPolicy(cors_origins=(PAGE,)))

    response = response_to(
        FastPath(app.state), predict_case(TEXT, headers=(JSON, ("Origin", PAGE)))
    )

    assert f"\r\naccess-control-allow-origin: {PAGE}\r\nvary: Origin\r\n".encode() in response
    assert b"\r\naccess-control-expose-headers: X-Model, X-Request-ID\r\n" in response


WITH_OWN_STATUS = """
import sys
from app.__main__ import main
from app.server.fast_path import FastPath
response = b"HTTP/1.1 299 Fast\\r\\ncontent-length: 0\\r\\n\\r\\n"
FastPath.respond = lambda self, batch, headers: [response] * len(batch)
sys.exit(main())
"""
"""The service with a fast path that responds with status 299."""


@pytest.fixture(scope="module")
def server_with_own_status():
    with serving("--default", "notebook", program=("-c", WITH_OWN_STATUS)) as server:
        yield server


def request_bytes(line="POST /predict HTTP/1.1", *headers):
    length = f"Content-Length: {len(TEXT)}"
    lines = [line, "Host: a", "Content-Type: application/json", length, *headers, "", TEXT]
    return "\r\n".join(lines).encode()


def status_of(server, pieces):
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.05)
        return int(connection.recv(65536).split()[1])


@pytest.mark.parametrize("path", ["/predict", "/predict?model=champion"])
def test_the_fast_path_accepts_a_body_that_arrives_after_its_head(server_with_own_status, path):
    whole = request_bytes(f"POST {path} HTTP/1.1")
    head, separator, body = whole.partition(b"\r\n\r\n")

    assert status_of(server_with_own_status, [whole]) == 299
    assert status_of(server_with_own_status, [head + separator, body]) == 299
    assert status_of(server_with_own_status, [whole[:20], whole[20:-30], whole[-30:]]) == 299


@pytest.mark.parametrize(
    "request_",
    [
        request_bytes("POST /predict HTTP/1.0"),
        request_bytes("POST /predict HTTP/1.1", "Connection: close"),
        request_bytes("POST /predict?level=.9 HTTP/1.1"),
        request_bytes("POST /explain HTTP/1.1"),
    ],
)
def test_an_unusual_request_does_not_take_the_fast_path(server_with_own_status, request_):
    assert status_of(server_with_own_status, [request_]) == 200
