import asyncio
import json
import math
import subprocess

import httpx
import numpy as np
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from app.inference.registry import NamedModel
from app.main import create_app
from app.observability.metrics import (
    OTHER,
    REASONS,
    count_buffer,
    count_predictions,
    count_rejected,
    registry,
)
from models.features import FEATURE_NAMES
from models.house_price import RowPrediction
from tests.support.programs import find_program
from tests.support.scraping import REQUESTS, scrape

TEXT = {"accept": "text/plain"}


class Counted:
    """The increase of a sample since this object was created."""

    def __init__(self, client):
        self.client = client
        self.before = scrape(client)

    def __call__(self, name, **labels):
        key = (name, *sorted(labels.items()))
        return scrape(self.client).get(key, 0) - self.before.get(key, 0)


@pytest.fixture
def counted(client):
    return Counted(client)


def test_each_request_is_counted_by_method_template_and_status(client, counted, row):
    for _ in range(3):
        client.post("/predict", json=row)
    client.post("/predict", json={})
    client.get("/predict")
    client.get("/models/notebook")
    client.get("/models/other")
    client.head("/livez")

    expected = {
        ("POST", "/predict", "200"): 3,
        ("POST", "/predict", "422"): 1,
        ("GET", "/predict", "405"): 1,
        ("GET", "/models/{name}", "200"): 1,
        ("GET", "/models/{name}", "404"): 1,
        ("GET", "/livez", "200"): 1,
    }
    for (method, route, code), count in expected.items():
        assert counted(REQUESTS, method=method, route=route, code=code) == count
    for route, count in (("/predict", 5), ("/models/{name}", 2), ("/livez", 1)):
        assert counted("housing_http_request_duration_seconds_count", route=route) == count
    assert counted("housing_http_request_duration_seconds_sum", route="/predict") > 0


def test_unknown_addresses_and_methods_add_no_label_values(client, counted):
    for n in range(50):
        client.get(f"/made-up/{n}")
    client.request("PROPFIND", "/made-up")
    client.get("/docs/swagger-ui/made-up.js")

    assert counted(REQUESTS, method="GET", route="unmatched", code="404") == 50
    assert counted(REQUESTS, method=OTHER, route="unmatched", code="404") == 1
    assert counted(REQUESTS, method="GET", route="/docs/swagger-ui", code="404") == 1
    assert "made-up" not in str(scrape(client))


def test_an_internal_error_is_counted_as_500(row):
    app = create_app(default="notebook")

    async def fail():
        raise RuntimeError

    app.add_api_route("/fails", fail)

    async def send():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/fails")

    assert asyncio.run(send()).status_code == 500
    labels = {"method": "GET", "route": "/fails", "code": "500"}
    assert registry.get_sample_value(REQUESTS, labels) == 1


def test_predictions_and_their_values_are_counted_by_model(client, counted, row):
    values = [client.post("/predict?model=notebook", json=row).json()["prediction"]] * 2
    client.post("/predict?model=notebook", json=row)
    client.post("/predict?model=champion", json=row)

    assert counted("housing_predictions_total", model="notebook") == 2
    assert counted("housing_predictions_total", model="champion") == 1
    assert counted("housing_prediction_value_count", model="notebook") == 2
    assert counted("housing_prediction_value_sum", model="notebook") == pytest.approx(sum(values))
    assert 4.0 < values[0] <= 4.5
    assert counted("housing_prediction_value_bucket", model="notebook", le="4.0") == 0
    assert counted("housing_prediction_value_bucket", model="notebook", le="4.5") == 2


def test_features_outside_their_training_range_are_counted_by_side(client, counted, row):
    client.post("/predict", json={**row, "Population": 100_000, "MedInc": 0.1})
    client.post("/predict", json={**row, "Population": 100_000})

    series = "housing_feature_out_of_range_total"
    assert counted(series, feature="Population", side="above") == 2
    assert counted(series, feature="MedInc", side="below") == 1
    assert counted(series, feature="MedInc", side="above") == 0


@pytest.mark.parametrize(
    ("instead", "reason"),
    [
        ("", "missing"),
        ('"MedInc": "1", ', "not_a_number"),
        ('"MedInc": NaN, ', "not_finite"),
        ('"MedInc": 101, ', "out_of_bounds"),
        ('"MedInc": -1, "HouseAge": -1, ', "out_of_bounds"),
        ('"MedInc": 1, "MedInc": 1, ', "repeated"),
        ('"MedInc": 1, "Medinc": 1, ', "unknown_feature"),
        ("{", "malformed"),
    ],
)
def test_a_rejected_row_is_counted_once_under_its_first_reason(
    client, counted, row, instead, reason
):
    body = json.dumps(row).replace('"MedInc": 8.3252, ', instead)

    response = client.post("/predict", content=body, headers={"content-type": "application/json"})

    assert response.status_code == 422
    assert rejections(counted) == {reason: 1}


def test_a_body_that_is_not_a_row_is_counted_as_malformed(client, counted):
    client.post("/predict", json=[])

    assert rejections(counted) == {"malformed": 1}


def rejections(counted):
    """The increase of the rejected rows, by reason."""
    counts = {reason: counted("housing_rejected_rows_total", reason=reason) for reason in REASONS}
    return {reason: count for reason, count in counts.items() if count}


def test_each_row_of_a_batch_is_counted(client, counted, row):
    rows = [row, {**row, "MedInc": -1}, {**row, "Population": 100_000}, row]

    client.post("/predict/batch?model=notebook", json=rows)

    assert counted("housing_predictions_total", model="notebook") == 3
    assert counted("housing_prediction_value_count", model="notebook") == 3
    assert counted("housing_feature_out_of_range_total", feature="Population", side="above") == 1
    assert counted(REQUESTS, method="POST", route="/predict/batch", code="200") == 1
    assert rejections(counted) == {"out_of_bounds": 1}


def test_a_rejected_query_is_not_counted_as_a_rejected_row(client, counted, row):
    client.post("/predict?level=high", json=row)

    assert rejections(counted) == {}


def test_an_unknown_reason_is_counted_as_other():
    series = ("housing_rejected_rows_total", {"reason": OTHER})
    before = registry.get_sample_value(*series)

    for _ in range(3):
        count_rejected("made-up")

    assert registry.get_sample_value(*series) == before + 3
    assert registry.get_sample_value(series[0], {"reason": "made-up"}) is None


def test_rows_counted_together_give_the_counts_of_rows_counted_singly(saved, rng):
    rows = np.repeat(saved.golden_rows[:1], 1000, axis=0)
    rows[:7, FEATURE_NAMES.index("AveRooms")] = 999.0
    values = rng.uniform(-0.5, 5.5, 1000)
    values[:4] = [0.5, 4.99, -0.1, math.nextafter(0.5, 1)]
    out_of_range = {"feature": "AveRooms", "side": "above"}
    before = registry.get_sample_value("housing_feature_out_of_range_total", out_of_range)

    count_predictions(NamedModel("at_once", saved), rows, values)
    for row, value in zip(rows, values, strict=True):
        count_predictions(NamedModel("one_by_one", saved), row[np.newaxis], np.array([value]))
    count_predictions(NamedModel("at_once", saved), rows[:0], values[:0])

    def samples(model):
        return {
            (sample.name, sample.labels.get("le")): pytest.approx(sample.value)
            for family in registry.collect()
            for sample in family.samples
            if sample.labels.get("model") == model
        }

    assert samples("at_once") == samples("one_by_one")
    for le in (0.5, 4.99):
        below = registry.get_sample_value(
            "housing_prediction_value_bucket", {"model": "at_once", "le": str(le)}
        )
        assert below == (values <= le).sum()
    total = registry.get_sample_value("housing_prediction_value_sum", {"model": "at_once"})
    assert total == pytest.approx(values[values > 0].sum())
    after = registry.get_sample_value("housing_feature_out_of_range_total", out_of_range)
    assert after == before + 14


def test_the_sum_of_a_histogram_never_decreases(saved):
    """Prometheus reads a decrease as a restart, so negative predictions add nothing to the sum."""
    model, row = NamedModel("negative", saved), saved.golden_rows[0].tolist()
    series = ("housing_prediction_value_sum", {"model": "negative"})

    count_buffer.add_predictions(
        model, [row, row], [RowPrediction(n, 0.0, 0.0, []) for n in (2.0, -0.5)]
    )
    count_buffer.flush()
    assert registry.get_sample_value(*series) == 2.0
    count_predictions(model, np.array([row, row]), np.array([0.25, -3.0]))

    assert registry.get_sample_value(*series) == 2.25


def test_prometheus_and_json_have_the_same_test_metrics(client, saved):
    samples = scrape(client)
    people = client.get("/metrics").json()["models"]

    for model, metrics in people.items():
        for error in ("mae", "rmse", "mse"):
            assert samples[f"housing_model_test_{error}", ("model", model)] == metrics[error]
    labels = [
        *[("default", "true"), ("model", "notebook")],
        *[("recipe", "notebook"), ("version", saved.version)],
    ]
    assert samples["housing_model_info", *labels] == 1
    assert samples["housing_ready",] == 1


def test_the_metrics_have_the_currently_loaded_models(saved):
    app = create_app(default="notebook")
    models = app.state.models

    async def send():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test"
        ) as client:
            return (await client.get("/metrics", headers=TEXT)).text

    models.by_name["newcomer"] = NamedModel("newcomer", saved)
    text = asyncio.run(send())

    assert 'housing_predictions_total{model="newcomer"} 0.0' in text
    assert f'housing_model_test_mae{{model="newcomer"}} {saved.card.metrics.mae}' in text


def test_text_and_openmetrics_have_the_same_samples(client):
    text = scrape(client)
    openmetrics = scrape(client, "application/openmetrics-text", parse_openmetrics)

    assert text.keys() == openmetrics.keys()
    assert len(text) > 100


def test_promtool_finds_no_problem(client):
    promtool = find_program("promtool", package="prometheus")
    text = client.get("/metrics", headers=TEXT).text

    result = subprocess.run(
        [promtool, "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (result.returncode, result.stdout + result.stderr) == (0, "")
