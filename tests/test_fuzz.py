"""A small part of `make fuzz`, and the named hostile bodies."""

import pytest

from tests.fuzz import reference, streams
from tests.fuzz.openapi import run_schemathesis
from tests.fuzz.requests import make_case
from tests.fuzz.runner import run
from tests.support.hostile import HOSTILE
from tests.support.problems import problem_of


@pytest.mark.parametrize(
    "address", ["/predict", "/explain", "/predict/batch", "/v2/models/notebook/infer"]
)
@pytest.mark.parametrize("name", HOSTILE)
def test_no_hostile_body_gets_a_prediction(client, address, name):
    headers = {"content-type": "application/json"}

    response = client.post(address, content=HOSTILE[name], headers=headers)

    assert 400 <= response.status_code < 500
    assert len(response.content) <= 4096


@pytest.mark.parametrize("address", ["/predict/batch", "/v2/models/notebook/infer"])
def test_json_nested_150_000_levels_deep_is_rejected(client, address):
    headers = {"content-type": "application/json"}

    response = client.post(address, content="[" * 150_000 + "]" * 150_000, headers=headers)

    assert response.status_code in (400, 422)
    assert len(response.content) <= 4096


@pytest.mark.parametrize("name", [name for name in HOSTILE if "levels" not in name])
def test_the_fuzzers_reference_rejects_every_hostile_row(name):
    body = HOSTILE[name]

    try:
        value = reference.strict_json(body if isinstance(body, bytes) else body.encode())
    except reference.MalformedError:
        return
    assert reference.row_of_object(value).numbers is None


def test_a_body_of_a_million_bytes_is_rejected_before_it_is_read(client):
    headers = {"content-type": "application/json"}

    assert problem_of(client.post("/predict", content=b" " * 1_000_000, headers=headers), 413)


def test_a_thousand_fuzzed_requests_get_correct_responses():
    counts = run(make_case(20, index) for index in range(1_000))

    assert counts.total() > 950
    assert {kind for kind, _ in counts} >= {"predict", "array", "csv", "ndjson", "arrow", "v2"}


def test_a_hundred_connections_with_several_fuzzed_requests_get_correct_responses():
    assert streams.run(seed=20, count=100) > 300


def test_equal_seeds_give_equal_fuzzed_requests():
    assert [make_case(1, index) for index in range(50)] == [
        make_case(1, index) for index in range(50)
    ]
    assert make_case(1, 0) != make_case(2, 0)


def test_schemathesis_finds_no_failure():
    few = ("--max-examples", "2", "--phases", "examples,fuzzing", "--seed", "1")

    finished = run_schemathesis(*few, "--generation-database", "none", seconds=240)

    assert finished.returncode == 0, finished.stdout
