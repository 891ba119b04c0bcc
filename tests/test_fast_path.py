"""The short way of POST /predict: what it answers is what FastAPI answers, byte for byte.

A body that comes in chunks goes FastAPI's way, whatever it is; so each request is sent twice.
"""

import asyncio
import json
from dataclasses import replace
from functools import partial

import pytest

from app.access.policy import AccessPolicy
from app.main import create_app
from app.observability.access_log import AccessLog
from app.server.fast_path import MAX_MICRO_BATCH, FastPath
from models import SAVED_MODELS
from tests.fuzz.client import Connection
from tests.fuzz.requests import make_case
from tests.support.headers import KEY, TRACE
from tests.support.hostile import HOSTILE
from tests.support.rows import ROW
from tests.support.servers import serving
from tests.support.two_paths import JSON, REQUEST_ID, RIGHT, TEXT, assert_alike, both_ways, named

SEED, CASES = 20261125, 6000


WRONG = [
    *(named(body) for body in HOSTILE.values() if len(body) < 60_000),
    *(named(TEXT, f"/predict?{query}") for query in ("", "level=0.85", "model=", "level=0.9&level=0.9", "a=1", "level=.9")),
    *(named(TEXT, headers=headers) for headers in (
        (),
        (("Content-Type", "text/csv"),),
        (("Content-Type", "application/json; charset=latin-1"),),
        (JSON, ("Content-Encoding", "gzip")),
        (JSON, ("Content-Encoding", "identity")),
        (JSON, JSON),
        (("Content-Type", "text/csv"), JSON),
    )),
]  # fmt: skip
"""Refused, or written so unusually that FastAPI answers."""

MUTATED = [
    replace(case, path=case.path.replace("/explain", "/predict"))
    for case in (make_case(SEED, index) for index in range(CASES))
    if case.kind in ("predict", "explain") and case.framing != "broken" and len(case.body) < 60_000
]


@pytest.mark.parametrize(
    ("cases", "statuses"),
    [(RIGHT, {200}), (WRONG, {200, 404, 415, 422}), (MUTATED, {200, 404, 415, 422})],
    ids=["right", "wrong", "mutated"],
)
def test_both_paths_give_the_same_status_headers_and_body(server, cases, statuses):
    pairs = asyncio.run(both_ways(server.port, cases))

    assert_alike(cases, pairs)
    assert {whole.status for whole, _ in pairs} == statuses


@pytest.fixture(scope="module")
def prompt():
    return FastPath(create_app(SAVED_MODELS, "notebook").state)


def answered(prompt, case):
    headers = [(name.lower().encode(), value.encode()) for name, value in case.headers]
    target = case.path.encode()
    replies = []
    question = prompt.knows(target) and prompt.ask(target, headers, case.body, None, replies.append)
    if question:
        prompt.answer(question)
        prompt.settle()
    return replies[0] if replies else None


@pytest.mark.parametrize("case", RIGHT, ids=range(len(RIGHT)))
def test_a_valid_request_takes_the_fast_path(prompt, case):
    assert answered(prompt, case) is not None


@pytest.mark.parametrize("case", WRONG, ids=range(len(WRONG)))
def test_an_invalid_or_unusual_request_falls_back_to_the_app(prompt, case):
    assert answered(prompt, case) is None


def test_the_fast_path_counts_as_the_app_does(server, client):
    def counted():
        text = client.get("/metrics", headers={"accept": "text/plain"}).text
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {
            name: float(value)
            for name, value in lines
            if '"/predict"' in name or name.startswith(("housing_predi", "housing_feature"))
            if "_seconds_sum" not in name and "seconds_bucket" not in name
        }

    old = named(TEXT.replace("41.0", "150"))  # out of the training range
    differences = []
    for framing in ("length", "chunked"):
        before = counted()
        asyncio.run(both_ways_once(server.port, replace(old, framing=framing)))
        after = counted()
        differences.append({name: after[name] - before.get(name, 0) for name in after})

    short, long = differences
    assert short == pytest.approx(long)
    assert short['housing_http_requests_total{code="200",method="POST",route="/predict"}'] == 3
    assert short['housing_feature_out_of_range_total{feature="HouseAge",side="above"}'] == 3


async def both_ways_once(port, case):
    connection = Connection(port)
    for _ in range(3):
        assert (await connection.exchange(case.to_bytes())).status == 200
    connection.close()


@pytest.mark.parametrize("model", ["notebook", "champion"])
def test_pipelined_requests_are_answered_in_order_by_either_path(server, model):
    """Short, long, short, a refusal: as many as a client likes that then sends no more."""
    right = named(TEXT, f"/predict?model={model}")
    cases = [right, replace(right, framing="chunked"), right, named("{}")] * 40
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
    """Rows near the one that is known, of which no two are alike."""
    factors = rng.uniform(0.9, 1.1, size=(count, len(ROW)))
    factors[:, -2:] = rng.uniform(0.99, 1.01, size=(count, 2))  # the place
    return [dict(zip(ROW, values, strict=True)) for values in (factors * [*ROW.values()]).tolist()]


def test_concurrent_requests_get_byte_for_byte_the_answers_that_they_get_alone(server, rng):
    paths = ["/predict?model=champion", "/predict?model=champion&level=0.5", "/predict"]
    cases = [
        replace(named(json.dumps(row), paths[index % 3]), headers=(JSON, REQUEST_ID))
        for index, row in enumerate(some_rows(rng, 300))
    ]

    async def ask(together):
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

    together = asyncio.run(ask(100))

    assert together == asyncio.run(ask(1))
    assert {status for status, _ in together} == {200}


def put(prompt, target, row, reply):
    assert prompt.knows(target)
    headers = [(b"content-type", b"application/json"), (b"x-request-id", b"test")]
    prompt.answer(prompt.ask(target, headers, json.dumps(row).encode(), None, reply))


def test_the_champion_answers_a_micro_batch_at_the_end_of_the_iteration_or_when_it_is_full(
    prompt,
):
    replies = []

    def ask(times):
        for _ in range(times):
            put(prompt, b"/predict?model=champion", ROW, replies.append)
        return len(replies)

    assert ask(3) == 0
    prompt.end_turn()
    assert len(replies) == 3
    assert ask(MAX_MICRO_BATCH + 1) == 3 + MAX_MICRO_BATCH
    prompt.end_turn()
    assert len(replies) == 3 + MAX_MICRO_BATCH + 1


def test_a_micro_batch_of_mixed_levels_gives_each_request_the_bytes_that_it_gets_alone(prompt, rng):
    targets = [b"/predict?model=champion", b"/predict?model=champion&level=0.5"]
    questions = [*zip(targets * 10, some_rows(rng, 20), strict=True)]

    def ask(*, alone):
        replies = {}
        for number, (target, row) in enumerate(questions):
            put(prompt, target, row, partial(replies.__setitem__, number))
            if alone:
                prompt.end_turn()
        prompt.end_turn()
        return [replies[number] for number in range(len(questions))]

    assert ask(alone=False) == ask(alone=True)


@pytest.mark.parametrize("count", [1, 5, MAX_MICRO_BATCH + 8])
def test_a_client_that_closes_its_sending_side_gets_every_answer_and_then_the_end(server, count):
    cases = [
        named(TEXT, "/predict?model=champion", headers=(JSON, ("X-Request-ID", str(index))))
        for index in range(count)
    ]
    sent = b"".join(case.to_bytes() for case in cases)

    answers = asyncio.run(Connection(server.port).exchange_all(sent))

    assert [answer.headers["x-request-id"] for answer in answers] == [*map(str, range(count))]


def test_a_request_before_malformed_bytes_is_answered_first(server):
    sent = named(TEXT, "/predict?model=champion").to_bytes() + b"\0 / HTTP/1.1\r\n\r\n"

    answers = asyncio.run(Connection(server.port).exchange_all(sent))

    assert [answer.status for answer in answers] == [200, 400]


FAILING = """
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
"""The service, where a model fails at one income, and gives no number at another."""


@pytest.mark.parametrize("model", ["notebook", "champion"])
@pytest.mark.parametrize("income", [1, 2])
def test_a_failing_request_does_not_affect_others_at_the_same_time(model, income):
    path = f"/predict?model={model}"
    right, failing = named(TEXT, path), named(TEXT.replace("8.3252", str(income)), path)
    with serving(program=("-c", FAILING)) as server:

        async def ask():
            company = [right] * 5 + [failing] + [right] * 5
            connections = [Connection(server.port) for _ in company]
            for connection in connections:  # so that the questions come together
                await connection.exchange(right.to_bytes())
            together = await asyncio.gather(
                *(
                    connection.exchange(case.to_bytes())
                    for connection, case in zip(connections, company, strict=True)
                )
            )
            for connection in connections:
                connection.close()
            sent = b"".join(case.to_bytes() for case in (right, failing, right))
            return together, await Connection(server.port).exchange_all(sent)

        together, pipelined = asyncio.run(ask())

    assert [answer.status for answer in together] == [200] * 5 + [500] + [200] * 5
    assert [answer.status for answer in pipelined] == [200, 500]  # after which it closes


WITH_KEY = ("X-API-Key", KEY)
ADMITTED = [
    (JSON, WITH_KEY),
    (JSON, ("Authorization", f"Bearer {KEY}")),
    (JSON, ("X-API-Key", "another"), WITH_KEY, ("traceparent", TRACE)),
]
NOT_ADMITTED = [(JSON,), (JSON, ("X-API-Key", KEY[:-1])), (JSON, ("Authorization", KEY))]
PAGES = [("https://page.example",), ()]


@pytest.mark.parametrize("pages", PAGES)
@pytest.mark.parametrize(
    ("host", "headers", "is_admitted"),
    [
        *(("a.example:80", headers, True) for headers in ADMITTED),
        *(("a.example:80", headers, False) for headers in NOT_ADMITTED),
        *(("b.example", headers, False) for headers in ADMITTED),
    ],
)
def test_the_fast_path_requires_an_allowed_host_a_key_and_no_cors(
    host, headers, is_admitted, pages, keys_file
):
    policy = AccessPolicy(keys_file, ("a.example",), pages)
    app = create_app(SAVED_MODELS, "notebook", access=policy, log=AccessLog("json"))
    case = named(TEXT, headers=(("Host", host), *headers))

    assert (answered(FastPath(app.state), case) is not None) == (is_admitted and not pages)


@pytest.mark.parametrize("pages", PAGES)
@pytest.mark.parametrize(
    ("host", "statuses"), [("fuzz", [200] * 3 + [401] * 3), ("a.example", [400] * 6)]
)
def test_under_an_access_policy_both_paths_answer_and_log_the_same(
    host, statuses, pages, keys_file, tmp_path
):
    cases = [named(TEXT, headers=headers) for headers in (*ADMITTED, *NOT_ADMITTED)]
    options = ["--allowed-hosts", host, "--api-keys-file", str(keys_file)]
    options += ["--access-log", "json", *(("--cors-origins", *pages) if pages else ())]
    log = tmp_path / "log"
    with log.open("wb") as stdout, serving(*options, stdout=stdout) as server:
        pairs = asyncio.run(both_ways(server.port, cases))
        server.stop()

    assert_alike(cases, pairs)
    assert [whole.status for whole, _ in pairs] == statuses
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert all(line.pop("time") for line in lines)
    assert all(line.pop("duration_ms") > 0 for line in lines)
    assert lines[::2] == lines[1::2]
    assert [line["key"] == "alice" for line in lines[::2]] == [status == 200 for status in statuses]
    assert lines[4]["traceparent"] == TRACE
