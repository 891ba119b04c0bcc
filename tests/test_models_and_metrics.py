import json

import pytest

from app.inference.registry import LoadedModels, NamedModel, UnknownModelError
from models import SAVED_MODELS
from models.features import FEATURE_NAMES

MANIFEST = json.loads((SAVED_MODELS / "notebook" / "model.json").read_text())


def test_get_metrics_returns_the_metrics_of_the_saved_model(client, saved):
    metrics = client.get("/metrics").json()

    for name in ("mae", "rmse", "mse", "r2", "coverage", "mean_width", "test_rows"):
        assert metrics[name] == MANIFEST["metrics"][name]
    assert metrics["unit"] == "100,000 USD of 1990"
    assert metrics["model"] == f"notebook@{saved.version}"


def test_metrics_list_each_model_by_name(client):
    metrics = client.get("/metrics").json()

    each = metrics.pop("models")
    assert set(each) == {"champion", "notebook"}
    assert each["notebook"] == metrics
    assert each["champion"]["rmse"] < 0.4


def test_a_models_description_has_the_fields_of_its_card(client, saved):
    description = client.get("/models/notebook").json()

    assert description["name"] == "notebook"
    assert description["version"] == saved.version == MANIFEST["parameters_sha256"][:8]
    assert description["default"] is True
    assert [feature["name"] for feature in description["features"]] == list(FEATURE_NAMES)
    assert description["features"] == MANIFEST["features"]
    assert description["target"] == MANIFEST["target"]
    assert description["metrics"]["mae"] == MANIFEST["metrics"]["mae"]
    for field in ("recipe", "hyperparameters", "seed", "data", "split", "created", "versions"):
        assert description[field] == MANIFEST[field]


def test_all_models_are_listed(client):
    each = [client.get(f"/models/{name}").json() for name in ("champion", "notebook")]
    assert client.get("/models").json() == {"models": each}


def test_an_unknown_model_is_a_problem_that_lists_the_known_ones(client):
    response = client.get("/models/other")

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"] == (
        "The model must be champion or notebook, got another name."
    )


@pytest.mark.parametrize("address", ["/livez", "/readyz", "/metrics", "/docs", "/openapi.json"])
def test_head_gets_the_headers_of_get_without_the_body(client, address):
    got, head = client.get(address), client.head(address)

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == got.headers["content-length"]


def test_the_error_for_an_unknown_model_stays_short_with_many_models(saved):
    models = {f"{'m' * 60}{n}": NamedModel(f"m{n}", saved) for n in range(1000)}

    with pytest.raises(UnknownModelError, match="and 990 more, got another name") as error:
        LoadedModels(models, next(iter(models.values()))).get("other")

    assert len(str(error.value)) < 1000


@pytest.mark.parametrize(
    ("address", "status"), [("/livez", "alive"), ("/readyz", "ready"), ("/healthz", "ready")]
)
def test_probes_return_200(client, address, status):
    response = client.get(address)

    assert response.status_code == 200
    assert response.json() == {"status": status}
