"""Every error under /v2 has one format: a JSON object with the one field `error`."""

import asyncio
import gzip
import json
import socket
import zlib

import httpx
import numpy as np
import pytest

from app.main import create_app
from models.features import FEATURE_NAMES, FEATURES
from tests.support.rows import ROW

INFER = "/v2/models/notebook/infer"
NUMBERS = [*ROW.values()]
SIZE = "inference-header-content-length"


def error_of(response, status=400):
    """Check that a response is a well-formed V2 error; returns its message."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert [*response.json()] == ["error"]
    assert len(response.content) < 1024
    sentence = response.json()["error"]
    assert sentence.endswith(".")
    return sentence


def features(**changes):
    """A request of one row with changes to its input; None removes a member."""
    tensor = {"name": "features", "shape": [1, 8], "datatype": "FP64", "data": NUMBERS, **changes}
    return {"inputs": [{key: value for key, value in tensor.items() if value is not None}]}


def columns(**changes):
    """A request of one row, one input for each column, with changes by input name."""
    tensor = {"shape": [1, 1], "datatype": "FP64"}
    return {
        "inputs": [
            {"name": name, **tensor, "data": [number], **changes.get(name, {})}
            for name, number in ROW.items()
        ]
    }


def in_bytes(head, buffer):
    """A body of JSON and bytes, and its header."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return {"content": text + buffer, "headers": {SIZE: str(len(text))}}


def binary(size, **changes):
    return features(data=None, parameters={"binary_data_size": size}, **changes)


@pytest.mark.parametrize(
    ("value", "received"),
    [
        ("true", "got true or false"),
        ('"8.3"', "got a string"),
        ("null", "got null"),
        ("{}", "got an object"),
        ("[41]", "got an array"),
        ("NaN", "got NaN, infinity or a number that is far too large"),
        ("-Infinity", "got NaN, infinity or a number that is far too large"),
        ("1e400", "got NaN, infinity or a number that is far too large"),
        ("9" * 1000, "got NaN, infinity or a number that is far too large"),
        ("200.5", "got a number that is too large"),
        ("-1", "got a number that is too small"),
    ],
)
def test_the_error_for_an_invalid_number_names_row_and_feature(client, value, received):
    sentence = f"Row 1: HouseAge must be a number from 0 to 200 (years), {received}."
    flat = json.dumps(features(shape=[2, 8], data=NUMBERS * 2))
    first, second = flat.rsplit("41.0", 1)
    column = json.dumps(columns(**{name: {"shape": [2], "data": [ROW[name]] * 2} for name in ROW}))

    assert error_of(client.post(INFER, content=f"{first}{value}{second}")) == sentence
    in_column = column.replace("[41.0, 41.0]", f"[41.0, {value}]")
    assert error_of(client.post(INFER, content=in_column)) == sentence
    nested = json.dumps(features(shape=[2, 8], data=[NUMBERS] * 2))
    first, second = nested.rsplit("41.0", 1)
    assert error_of(client.post(INFER, content=f"{first}{value}{second}")) == sentence


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e308])
@pytest.mark.parametrize("head", ["one input", "raw"])
def test_binary_numbers_have_the_same_bounds(client, number, head):
    rows = np.array([NUMBERS] * 3)
    rows[2, 6] = number
    request = in_bytes(binary(192, shape=[3, 8]) if head == "one input" else b"", rows.tobytes())

    sentence = error_of(client.post(INFER, **request))

    assert sentence.startswith("Row 2: Latitude must be a number from 32 to 43 (degrees), got ")


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_both_bounds_of_each_feature_are_enforced(client, feature):
    for number in (np.nextafter(feature.maximum, np.inf), np.nextafter(feature.lowest, -np.inf)):
        body = columns(**{feature.name: {"data": [number]}})
        assert feature.bounds in error_of(client.post(INFER, json=body))
    for number in (feature.maximum, feature.lowest):
        body = columns(**{feature.name: {"data": [number]}})
        assert client.post(INFER, json=body).status_code == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "The request must be a JSON object."),
        (None, "must be a JSON object"),
        ({}, "`inputs` must be an array of one input, features, or of 8, but it is missing."),
        ({"inputs": []}, "`inputs` must be"),
        ({"inputs": {}}, "got an object."),
        ({"inputs": None}, "got null."),
        ({"inputs": [1]}, "`inputs[0]` must be"),
        ({"inputs": [None] * 100_000}, "`inputs"),
        ({"inputs": features()["inputs"] * 2}, "The inputs must be one named features, or MedInc,"),
        ({"inputs": features()["inputs"] + columns()["inputs"][1:]}, "got other names."),
        ({"inputs": columns()["inputs"][1:]}, "got other names."),
        ({"inputs": columns()["inputs"][:1] * 8}, "got other names."),
        ({"inputs": columns()["inputs"] * 2}, "`inputs` must be"),
        (features(name="medinc"), "The inputs must be one named features, or MedInc, HouseAge, "),
        (features(name=1), "`inputs[0].name` must be a string"),
        (features(name=None), "`inputs[0].name` must be a string"),
        (features(datatype="FP16"), "`inputs[0].datatype` must be one of FP32, FP64, INT8, INT16,"),
        (features(datatype="BOOL", data=[True] * 8), "got another value."),
        (features(datatype="BYTES", data=["1"] * 8), "`inputs[0].datatype` must be one of"),
        (features(datatype=64), "`inputs[0].datatype` must be one of"),
        (features(datatype=None), "but it is missing."),
        (features(datatype="INT64"), "features must have whole numbers in its datatype's range"),
        (features(shape=None), "`inputs[0].shape` must be an array of a few whole numbers"),
        (features(shape=8), "got a number."),
        (features(shape=[]), "The shape must be [N, 8], got another shape."),
        (features(shape=[8]), "The shape must be [N, 8]"),
        (features(shape=[8, 1]), "The shape must be [N, 8]"),
        (features(shape=[1, 1, 8]), "The shape must be [N, 8]"),
        (features(shape=[1] * 100), "`inputs[0].shape` must be an array of a few"),
        (features(shape=[-1, 8]), "`inputs[0].shape[0]` must be a whole number from 0 to 2,147,483,647, got"),
        (features(shape=[-1, -8]), "`inputs[0].shape[0]` must be a whole number from 0 to 2,147,483,647, got"),
        (features(shape=[1.0, 8]), "`inputs[0].shape[0]` must be a whole number from 0 to 2,147,483,647, got"),
        (features(shape=["1", 8]), "got a string."),
        (features(shape=[True, 8]), "got true or false."),
        (features(shape=[None, 8]), "got null."),
        (features(shape=[2**31, 8]), "`inputs[0].shape[0]` must be a whole number from 0 to 2,147,483,647, got"),
        (features(shape=[10**100, 8]), "`inputs[0].shape[0]` must be a whole number from 0 to 2,147,483,647, got"),
        (features(shape=[2**31 - 1, 8]), "features must have as many numbers as its shape says"),
        (features(shape=[2, 8]), "features must have as many numbers as its shape says"),
        (features(shape=[0, 8]), "features must have as many numbers as its shape says"),
        (features(data=NUMBERS[1:]), "features must have as many numbers as its shape says"),
        (features(data=None), "features must have either data or binary_data_size, got neither."),
        (features(parameters={"binary_data_size": 64}), "got both."),
        (features(parameters={"binary_data_size": 0}), "got both."),
        (features(data=1), "`inputs[0].data` must be an array, got a number."),
        (features(data="8.3"), "`inputs[0].data` must be an array, got a string."),
        (features(data={}), "`inputs[0].data` must be an array"),
        (features(data=[[number] for number in NUMBERS]), "features must be flat or nested as its shape"),
        (features(shape=[2, 8], data=[NUMBERS, NUMBERS[1:]]), "flat or nested as its shape says"),
        (features(shape=[2, 8], data=[NUMBERS, 1]), "flat or nested as its shape says"),
        (features(data=[[[]]]), "flat or nested as its shape says"),
        (features(parameters=1), "`inputs[0].parameters` must be an object"),
        (columns(MedInc={"shape": [2, 1], "data": [1, 2]}), "Each shape must be [N] or [N, 1] with the same N"),
        (columns(Latitude={"shape": []}), "Each shape must be"),
        (columns(Latitude={"shape": [1, 2]}), "Each shape must be"),
        (columns(**{name: {"shape": []} for name in FEATURE_NAMES}), "Each shape must be"),
        (columns(HouseAge={"datatype": "UINT8", "data": [300]}), "HouseAge must have whole numbers"),
        (columns(HouseAge={"datatype": "INT16", "data": [41.5]}), "HouseAge must have whole numbers"),
        (features(datatype="FP32", data=[1e39] * 8), "Row 0: MedInc must be a number from 0 to 100"),
        ({**features(), "id": 5}, "`id` must be a string, got a number."),
        ({**features(), "id": ["5"]}, "`id` must be a string, got an array."),
        ({**features(), "outputs": {}}, "`outputs` must be an array of at most one output, prediction"),
        ({**features(), "outputs": [{}]}, "`outputs[0].name` must be a string, for an output `prediction`"),
        ({**features(), "outputs": [{"name": "interval"}]}, "got another value."),
        ({**features(), "outputs": [{"name": "prediction"}] * 2}, "`outputs` must be"),
        ({**features(), "outputs": [{"name": "prediction", "parameters": {"binary_data": 1}}]},
         "`outputs[0].parameters.binary_data` must be true or false, got a number."),
        ({**features(), "parameters": []}, "`parameters` must be an object, got an array."),
        ({**features(), "parameters": {"binary_data_output": "true"}}, "must be true or false"),
    ],
)  # fmt: skip
def test_a_malformed_request_is_rejected(client, body, says):
    assert says in error_of(client.post(INFER, content=json.dumps(body)))


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{} {}",
        b"[1,]",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b'{"id": "\\ud800"}',
        b'{"id": "\xff"}',
        b"[" * 1_000_000,
        b'{"inputs":' * 100_000,
        b'{"inputs": ' + b"9" * 5000 + b"}",
        b"\x00" * 64,
    ],
)
def test_a_body_that_is_not_json_is_rejected(client, body):
    assert "The request must be JSON in UTF-8, but parsing failed: " in error_of(
        client.post(INFER, content=body)
    )


BUFFER = np.array(NUMBERS).tobytes()


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (in_bytes(binary(64), BUFFER[1:]), "must be those of the inputs, got fewer."),
        (in_bytes(binary(64), BUFFER + b"x"), "must be those of the inputs, got more."),
        (in_bytes(binary(63), BUFFER), "features must have as many bytes as its shape and datatype say"),
        (in_bytes(binary(65), BUFFER), "got fewer"),
        (in_bytes(binary(2**31 - 1), BUFFER), "got fewer"),
        (in_bytes(binary(0), BUFFER), "as many bytes"),
        (in_bytes(binary(-64), BUFFER), "`inputs[0].parameters.binary_data_size` must be a number of bytes"),
        (in_bytes(binary("64"), BUFFER), "`inputs[0].parameters.binary_data_size` must be"),
        (in_bytes(binary(64.5), BUFFER), "`inputs[0].parameters.binary_data_size` must be"),
        (in_bytes(binary(10**30), BUFFER), "`inputs[0].parameters.binary_data_size` must be"),
        (in_bytes(binary(64, shape=[2, 8]), BUFFER), "as many bytes"),
        (in_bytes(binary(64, datatype="FP32"), BUFFER), "as many bytes"),
        (in_bytes(binary(64, shape=[2**31 - 1, 8]), BUFFER), "as many bytes"),
        (in_bytes(features(), BUFFER), "got more."),
        ({"content": json.dumps(binary(64))}, "got fewer"),
        (in_bytes(b"", BUFFER[1:]), "A body without JSON must be rows of 64 bytes, got 63 bytes."),
        (in_bytes(b"", b""), "must be JSON"),
        *(
            ({"content": json.dumps(features()), "headers": {SIZE: length}},
             "Inference-Header-Content-Length must be a number of bytes up to the body's length")
            for length in ("", "abc", "-1", "1.5", "1e3", "+5", "0x10", "\xb2".encode(), "9" * 5000, "100000", "1, 2")
        ),
        ({"content": json.dumps(features()), "headers": {SIZE: "7"}}, "must be JSON in UTF-8"),
    ],
)  # fmt: skip
def test_inconsistent_sizes_are_rejected(client, request_, says):
    assert says in error_of(client.post(INFER, **request_))


TEXT = json.dumps(features()).encode()


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT, "gzip"),
        (TEXT, "deflate"),
        (b"", "gzip"),
        (gzip.compress(TEXT)[:-1], "gzip"),
        (gzip.compress(TEXT) + b"x", "gzip"),
        (gzip.compress(TEXT), "deflate"),
        (zlib.compress(TEXT)[:-5], "deflate"),
        (zlib.compress(TEXT)[:-4] + b"1234", "deflate"),
    ],
)
def test_invalid_compressed_data_is_rejected(client, content, encoding):
    response = client.post(INFER, content=content, headers={"content-encoding": encoding})

    sentence = f"The body must be valid {encoding} as its Content-Encoding says."
    assert error_of(response) == sentence


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "nonsense", ""])
def test_an_unsupported_content_encoding_gets_415(client, encoding):
    response = client.post(INFER, content=TEXT, headers={"content-encoding": encoding})

    assert error_of(response, 415) == (
        "The Content-Encoding must be gzip or deflate, got another one."
    )


def test_a_body_that_is_too_large_gets_413(client):
    announced = client.post(INFER, content=b" " * (8 * 2**20 + 1))
    streamed = client.post(INFER, content=(b" " * 2**20 for _ in range(9)))
    bomb = zlib.compressobj(9, wbits=31)
    packed = b"".join(bomb.compress(b" " * 2**20) for _ in range(256)) + bomb.flush()
    unpacked = client.post(INFER, content=packed, headers={"content-encoding": "gzip"})
    endless = client.post(
        INFER,
        content=(b"\x00\x00\x00\xff\xff" * 2**18 for _ in range(9)),  # empty deflate blocks
        headers={"content-encoding": "deflate"},
    )

    for response in (announced, streamed, unpacked, endless):
        assert error_of(response, 413) == "The body must have at most 4,194,304 bytes, got more."
        assert response.headers["connection"] == "close"


def test_a_body_of_the_maximum_size_is_accepted(client):
    body = TEXT + b" " * (4 * 2**20 - len(TEXT))

    assert client.post(INFER, content=body).status_code == 200
    compressed = client.post(INFER, content=gzip.compress(body), headers={"content-encoding": "gzip"})  # fmt: skip
    assert compressed.status_code == 200


def test_too_many_rows_get_413(client):
    for rows in (10_001, 60_000):
        request = in_bytes(binary(rows * 64, shape=[rows, 8]), bytes(rows * 64))
        assert error_of(client.post(INFER, **request), 413) == (
            f"The request must have at most 10,000 rows, got {rows:,}."
        )


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("GET", "/v2/nope", 404),
        ("GET", "/v2/models/", 404),
        ("GET", "/v2//", 404),
        ("GET", "/v2/models/notebook/", 404),
        ("GET", "/v2/models/other", 404),
        ("GET", "/v2/models/other/ready", 404),
        ("POST", "/v2/models/other/infer", 404),
        ("GET", "/v2/models/notebook/versions/1", 404),
        ("GET", "/v2/models/notebook/versions/1/ready", 404),
        ("GET", "/v2/models/notebook/stats", 404),
        ("POST", "/v2/models/notebook/versions/1/infer", 404),
        ("GET", "/v2/models/notebook/versions", 404),
        ("GET", "/v2/models/%ff%00", 404),
        ("POST", "/v2", 405),
        ("POST", "/v2/", 405),
        ("DELETE", "/v2/models", 405),
        ("POST", "/v2/models/notebook", 405),
        ("PUT", "/v2/health/ready", 405),
        ("GET", INFER, 405),
        ("OPTIONS", INFER, 405),
    ],
)
def test_unknown_addresses_models_versions_and_methods_get_the_v2_error_format(
    client, method, address, status
):
    response = client.request(method, address)

    error_of(response, status)
    assert ("allow" in response.headers) == (status == 405)


def test_the_error_for_an_unknown_version_names_the_loaded_one(client, saved):
    assert error_of(client.get("/v2/models/notebook/versions/1"), 404) == (
        f"The version must be {saved.version}, got another one."
    )


def test_addresses_that_only_begin_like_v2_get_a_problem(client):
    for address in ("/v2x", "/v3", "/v"):
        assert client.get(address).headers["content-type"] == "application/problem+json"


def test_no_error_message_echoes_its_input(client):
    secret = "S3cr3tMarker"
    for response in [
        *(
            client.post(INFER, json=body)
            for body in (
                secret,
                {secret: 1},
                features(name=secret),
                features(datatype=secret),
                features(shape=[secret, 8]),
                features(data=[secret] * 8),
                features(parameters=secret),
                {**features(), "outputs": [{"name": secret}]},
                {**features(), "id": [secret]},
            )
        ),
        client.post(INFER, content=secret),
        client.post(INFER, content=f'{{"{secret}": {secret}'),
        client.post(INFER, content=TEXT, headers={SIZE: secret}),
        client.post(INFER, content=TEXT, headers={"content-encoding": secret}),
        client.get(f"/v2/models/{secret}"),
        client.get(f"/v2/models/notebook/versions/{secret}"),
        client.get(f"/v2/{secret}"),
    ]:
        assert 400 <= response.status_code < 500
        assert secret not in response.text


def test_a_client_that_disconnects_within_its_body_does_not_affect_others(server, client):
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as connection:
        connection.sendall(
            f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{{".encode()
        )

    assert client.post(INFER, content=TEXT).status_code == 200


def test_an_internal_error_has_the_v2_error_format_and_reveals_nothing():
    app = create_app(default="notebook")
    app.state.models.default.saved.model.network.layers[2].biases[0] = float("nan")

    async def send():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post(INFER, content=TEXT)

    assert error_of(asyncio.run(send()), 500) == (
        "The service failed; the request is not at fault."
    )


def test_the_error_for_an_empty_body_says_that_it_is_empty(client):
    assert error_of(client.post(INFER)) == ("The request must be JSON in UTF-8, but it is empty.")
