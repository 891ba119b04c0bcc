"""A client that openapi-python-client generates from the service's OpenAPI document."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.http.media_types import ARROW, CSV, NDJSON
from tests.support.rows import ROW

BODIES_AS_BYTES = dict.fromkeys((CSV, NDJSON, ARROW), "application/octet-stream")
"""The generator needs to be configured for media types that it does not know."""


@pytest.fixture(scope="module")
def housing_client(client, tmp_path_factory):
    """The generated package."""
    directory = tmp_path_factory.mktemp("generated")
    (directory / "openapi.json").write_bytes(client.get("/openapi.json").content)
    (directory / "config.yml").write_text(json.dumps({"content_type_overrides": BODIES_AS_BYTES}))
    programs = Path(sys.executable).parent  # with ruff, which the generator formats with
    result = subprocess.run(
        [
            *[programs / "openapi-python-client", "generate", "--path", "openapi.json"],
            *[
                "--meta",
                "none",
                "--output-path",
                "housing_client",
                "--config",
                "config.yml",
                "--fail-on-warning",
            ],
        ],
        cwd=directory,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    sys.path.insert(0, str(directory))
    yield importlib.import_module("housing_client")
    sys.path.remove(str(directory))


def test_a_generated_client_makes_a_prediction(housing_client, server, client):
    predict = importlib.import_module("housing_client.api.predictions.predict")
    models = importlib.import_module("housing_client.models")
    house = models.HouseFeatures.from_dict(ROW)

    with housing_client.Client(base_url=server.url) as generated:
        answer = predict.sync(client=generated, body=house, level=0.8)

    assert answer.to_dict() == client.post("/predict?level=0.8", json=ROW).json()


def test_a_generated_client_parses_an_error_response(housing_client, server):
    predict = importlib.import_module("housing_client.api.predictions.predict")
    models = importlib.import_module("housing_client.models")
    house = models.HouseFeatures.from_dict({**ROW, "HouseAge": 500})

    with housing_client.Client(base_url=server.url) as generated:
        answer = predict.sync(client=generated, body=house)

    assert isinstance(answer, models.Problem)
    assert answer.status == 422
    assert [entry.loc for entry in answer.errors] == [["body", "HouseAge"]]


def test_a_generated_client_gets_metrics_and_models(housing_client, server, client):
    metrics = importlib.import_module("housing_client.api.models.metrics")
    list_models = importlib.import_module("housing_client.api.models.list_models")

    with housing_client.Client(base_url=server.url) as generated:
        assert metrics.sync(client=generated).mae == client.get("/metrics").json()["mae"]
        names = [model.name for model in list_models.sync(client=generated).models]

    assert names == ["champion", "notebook"]
