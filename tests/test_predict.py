import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from models.features import FEATURE_NAMES, FEATURES
from tests.support.problems import problem_of


def numbers_within_bounds():
    """Rows that the service must accept."""
    return st.fixed_dictionaries(
        {
            feature.name: st.floats(
                feature.minimum, feature.maximum, exclude_min=feature.excludes_minimum
            )
            for feature in FEATURES
        }
    )


def reference(saved, row):
    """The prediction, computed from the saved arrays with NumPy only."""
    hidden, _, output = saved.model.network.layers
    scaled = (
        np.array([row[name] for name in FEATURE_NAMES]) - saved.model.encoder.mean
    ) / saved.model.encoder.scale
    with np.errstate(over="ignore"):
        activations = 1 / (1 + np.exp(-(scaled @ hidden.weights + hidden.biases)))
    return (activations @ output.weights + output.biases).item()


def test_a_prediction_has_the_documented_fields(client, saved, row):
    answer = client.post("/predict", json=row).json()

    assert list(answer) == ["prediction", "interval", "warnings", "model"]
    assert list(answer["interval"]) == ["level", "lower", "upper"]
    assert answer["interval"]["level"] == 0.9
    assert answer["warnings"] == []
    assert answer["model"] == f"notebook@{saved.version}"


@settings(deadline=None)  # a busy machine may take its time over a request
@given(row=numbers_within_bounds())
def test_every_row_within_the_bounds_gets_the_prediction_of_a_numpy_reference(client, saved, row):
    response = client.post("/predict", json=row)

    assert response.status_code == 200
    answer = response.json()
    half_width = saved.model.interval.half_widths[2]
    expected = reference(saved, row)
    assert_allclose(answer["prediction"], expected, rtol=1e-12, atol=1e-12)
    assert_allclose(answer["interval"]["lower"], expected - half_width, rtol=1e-12, atol=1e-12)
    assert_allclose(answer["interval"]["upper"], expected + half_width, rtol=1e-12, atol=1e-12)


def test_the_order_of_the_features_in_the_object_does_not_matter(client, row):
    turned = dict(reversed(row.items()))

    assert client.post("/predict", json=turned).json() == client.post("/predict", json=row).json()


def test_whole_numbers_are_accepted(client, row):
    whole = {**row, "HouseAge": 41, "Population": 322}

    assert client.post("/predict", json=whole).json() == client.post("/predict", json=row).json()


def test_the_model_can_be_chosen_by_name(client, row):
    chosen = client.post("/predict?model=notebook", json=row)

    assert chosen.json() == client.post("/predict", json=row).json()


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_the_interval_has_the_requested_level(client, saved, row, level):
    answer = client.post(f"/predict?level={level}", json=row).json()

    index = saved.model.interval.levels.tolist().index(level)
    width = answer["interval"]["upper"] - answer["interval"]["lower"]
    assert answer["interval"]["level"] == level
    assert width == pytest.approx(2 * saved.model.interval.half_widths[index])


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("level=0.85", "The level must be one of 0.5, 0.8, 0.9, 0.95, got another number."),
        ("level=nan", "The level must be one of 0.5, 0.8, 0.9, 0.95, got another number."),
        ("level=high", "The query's `level` must be a number, got another value."),
        ("level=0.5&level=0.8", "The query must have `level` at most once, got it 2 times."),
    ],
)
def test_an_unknown_level_is_rejected(client, row, query, says):
    assert problem_of(client.post(f"/predict?{query}", json=row), 422)["detail"] == says


def test_a_feature_outside_its_training_range_gives_a_warning(client, row):
    answer = client.post("/predict", json={**row, "Population": 100_000}).json()

    assert answer["warnings"] == ["Population is outside its training range, 3 to 35682 (people)."]


def post(client, body, **headers):
    return client.post(
        "/predict", content=body, headers={"content-type": "application/json", **headers}
    )


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_both_bounds_of_each_feature_are_enforced(client, row, feature):
    too_large = math.nextafter(feature.maximum, math.inf)
    too_small = (
        feature.minimum if feature.excludes_minimum else math.nextafter(feature.minimum, -999)
    )
    smallest = math.nextafter(feature.minimum, math.inf)

    for number in (too_large, too_small, 1.8e308 / 10, -1e308):
        problem = problem_of(post(client, json.dumps({**row, feature.name: number})), 422)
        (error,) = problem["errors"]
        assert error["loc"] == ["body", feature.name]
        assert f"{feature.name} must be a number {feature.bounds}" in error["msg"]
    for number in (feature.maximum, smallest):
        assert client.post("/predict", json={**row, feature.name: number}).status_code == 200


@pytest.mark.parametrize(
    ("value", "received", "kind"),
    [
        ('"8.3"', "got a string", "float_type"),
        ('"8_3"', "got a string", "float_type"),
        ("true", "got true or false", "float_type"),
        ("null", "got null", "float_type"),
        ("[8.3]", "got an array", "float_type"),
        ('{"a": 1}', "got an object", "float_type"),
        ("NaN", "got NaN, infinity or a number that is far too large", "finite_number"),
        ("Infinity", "got NaN, infinity or a number that is far too large", "finite_number"),
        ("-Infinity", "got NaN, infinity or a number that is far too large", "finite_number"),
        ("1e400", "got NaN, infinity or a number that is far too large", "finite_number"),
        ("9" * 5000, "got NaN, infinity or a number that is far too large", "finite_number"),
        ("8.3, \"MedInc\": 8.3", "but it appears more than once", "repeated"),
        ('8.3, "Med\\u0049nc": 8.3', "but it appears more than once", "repeated"),
    ],
)  # fmt: skip
def test_only_a_single_finite_number_is_accepted(client, row, value, received, kind):
    body = json.dumps(row).replace("8.3252", value)

    problem = problem_of(post(client, body), 422)

    sentence = f"MedInc must be a number from 0 to 100 (10,000 USD), {received}."
    assert problem["detail"] == sentence
    assert problem["errors"] == [{"loc": ["body", "MedInc"], "msg": sentence, "type": kind}]


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_each_missing_feature_is_named(client, row, feature):
    del row[feature.name]

    problem = problem_of(client.post("/predict", json=row), 422)

    (error,) = problem["errors"]
    assert error["loc"] == ["body", feature.name]
    assert error["type"] == "missing"


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("MedIncome", "MedInc"),
        ("medinc", "MedInc"),
        ("house_age", "HouseAge"),
        ("AvgRooms", "AveRooms"),
        ("AveBedrooms", "AveBedrms"),
        ("lattitude", "Latitude"),
        ("LONGITUDE", "Longitude"),
    ],
)
def test_the_error_for_a_misspelt_feature_suggests_the_right_name(client, row, misspelt, meant):
    body = {misspelt if name == meant else name: value for name, value in row.items()}

    problem = problem_of(client.post("/predict", json=body), 422)

    unknown, missing = problem["errors"]
    assert problem["detail"].startswith(unknown["msg"])
    assert missing["loc"] == ["body", meant]
    assert unknown["type"] == "unknown_feature"
    assert unknown["msg"].endswith(f" Did you mean {meant}?")


def test_the_error_for_an_unknown_feature_makes_no_far_fetched_suggestion(client, row):
    problem = problem_of(client.post("/predict", json={**row, "xyzzy": 1}), 422)

    assert problem["detail"].endswith("; got an unknown one.")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "a JSON object of the eight features, but it is empty"),
        (b"[]", "a JSON object of the eight features, got an array"),
        (b"null", "got null"),
        (b"1", "got a number"),
        (b'"row"', "got a string"),
        (b"{", "must be JSON in UTF-8, but parsing failed: Expecting property name"),
        (b"{} {}", "must be JSON in UTF-8, but parsing failed: Extra data"),
        (b"[" * 60_000, "parsing failed: nested too deeply, more than 32 levels."),
        (b'{"a":' * 10_000, "nested too deeply"),
        (b"\xff\xfe{}", "not UTF-8"),
        ('{"é": '.encode() + b"\xff", "not UTF-8 (character 7)"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b"\xef\xbb\xbf{}", "a byte order mark"),
        (b'{"\\ud800": 1}', "got an unknown one"),
    ],
)
def test_a_body_that_is_not_a_row_is_rejected(client, body, says):
    assert says in problem_of(post(client, body), 422)["detail"]


def test_thousands_of_mistakes_give_one_short_error(client):
    body = json.dumps({f"MedInc{n}": n for n in range(3000)})

    problem = problem_of(post(client, body), 422)

    assert problem["detail"].endswith("And 3007 more.")
    assert len(problem["errors"]) == 16


def test_no_error_message_echoes_its_input(client, row):
    secret = "S3cr3tMarker"
    bodies = [
        json.dumps({**row, "MedInc": secret}),
        json.dumps({**row, secret: 1}),
        f'{{"{secret}',
        secret,
        json.dumps([secret]),
    ]

    for response in [
        *(post(client, body) for body in bodies),
        client.post(f"/predict?model={secret}", json=row),
        client.post(f"/predict?{secret}=1", json=row),
        post(client, "{}", **{"content-type": secret}),
        client.get(f"/{secret}"),
        client.get(f"/models/{secret}"),
    ]:
        assert 400 <= response.status_code < 500
        assert secret not in response.text


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "got none. With curl, add -H 'content-type: application/json'."),
        ({"content-type": "application/x-www-form-urlencoded"}, "got another one. With curl"),
        ({"content-type": "text/plain"}, "got another one"),
        ({"content-type": "application/json; charset=latin-1"}, "The charset must be UTF-8"),
        ({"content-type": "application/json; charset=latin-1; x=utf-8"}, "must be UTF-8"),
        ({"content-type": "application/json; charset=\xe9".encode("latin-1")}, "must be UTF-8"),
        ({"content-type": "application/json; charset*=x''y; charset*0=z"}, "must be UTF-8"),
        ({"content-type": f"application/json; charset*{'1' * 5000}*=x"}, "must be application/json"),
        ({"content-type": "application/json", "content-encoding": "gzip"}, "not be compressed"),
    ],
)  # fmt: skip
def test_a_body_that_is_not_uncompressed_utf_8_json_gets_415(client, row, headers, says):
    response = client.post("/predict", content=json.dumps(row), headers=headers)

    assert says in problem_of(response, 415)["detail"]


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"'],
)
def test_the_content_type_may_name_utf_8(client, row, content_type):
    assert post(client, json.dumps(row), **{"content-type": content_type}).status_code == 200


def test_a_body_that_is_too_large_gets_413(client):
    announced = post(client, b" " * 70_000)
    streamed = post(client, (b" " * 10_000 for _ in range(7)))

    for response in (announced, streamed):
        problem = problem_of(response, 413)
        assert problem["detail"] == "The body must have at most 65,536 bytes, got more."
        assert response.headers["connection"] == "close"


def test_an_unknown_model_or_parameter_is_rejected(client, row):
    no_model = problem_of(client.post("/predict?model=other", json=row), 404)
    no_parameter = problem_of(client.post("/predict?modle=notebook", json=row), 422)
    twice = problem_of(client.post("/predict?model=other&model=notebook", json=row), 422)

    assert no_model["detail"] == ("The model must be champion or notebook, got another name.")
    assert no_parameter["errors"][0]["loc"] == ["query"]
    assert no_parameter["detail"].startswith("The query must have known parameters only")
    assert twice["detail"] == "The query must have `model` at most once, got it 2 times."


def test_unknown_addresses_and_methods_get_a_problem(client):
    assert "must be one of those in /openapi.json" in problem_of(client.get("/nope"), 404)["detail"]
    response = client.get("/predict")
    assert problem_of(response, 405)["detail"] == "The method must be POST, got another one."
    assert response.headers["allow"] == "POST"
