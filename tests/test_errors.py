import asyncio
import json
import shutil
from dataclasses import replace

import httpx
import numpy as np
import pytest

from app.http.problems import error_response
from app.inference.registry import LoadedModels, NamedModel
from app.main import create_app
from app.server.uvicorn_protocol import STATUS_LINE
from models import SAVED_MODELS
from models.network import Network


@pytest.fixture
def app():
    return create_app(default="notebook")


def send(app, method, path, **request):
    async def send():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **request)

    return asyncio.run(send())


def test_an_internal_error_is_a_problem_that_reveals_nothing(app):
    app.state.models = "not models"

    response = send(app, "GET", "/metrics")

    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"] == "The service failed; the request is not at fault."


@pytest.mark.parametrize("length", ["abc", "", "-1", "9" * 5000])
def test_a_wrong_content_length_does_not_cause_an_internal_error(app, row, length):
    response = send(app, "POST", "/predict", json=row, headers={"content-length": length})

    assert response.status_code in (200, 413)


def test_a_prediction_that_is_not_finite_gives_500(app, row, saved):
    hidden, sigmoid, output = saved.model.network.layers
    network = Network([hidden, sigmoid, replace(output, biases=np.array([np.nan]))])
    broken = NamedModel("broken", replace(saved, model=replace(saved.model, network=network)))
    app.state.models = LoadedModels({"broken": broken}, broken)

    assert send(app, "POST", "/predict", json=row).status_code == 500


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (416, "Range Not Satisfiable"),
        (422, "Unprocessable Content"),
        (503, "Service Unavailable"),
    ],
)
def test_titles_and_status_lines_use_the_phrases_of_rfc_9110_on_every_python(status, phrase):
    assert json.loads(error_response("/", status, "x").body)["title"] == phrase
    assert STATUS_LINE[status] == f"HTTP/1.1 {status} {phrase}\r\n".encode()


def test_errors_are_checked_in_the_order_media_type_size_model_row(app, row):
    json_type = {"content-type": "application/json"}
    invalid = json.dumps({**row, "HouseAge": 500})
    large = " " * 70_000

    def status(query, content, headers):
        response = send(app, "POST", f"/predict{query}", content=content, headers=headers)
        return response.status_code

    assert status("?model=other", large, {}) == 415
    assert status("?model=other", large, json_type) == 413
    assert status("?model=other", invalid, json_type) == 404
    assert status("?level=0.85", invalid, json_type) == 422
    assert status("", invalid, json_type) == 422


def test_a_reload_fails_when_the_default_model_was_removed(tmp_path):
    """The champion is the default; without it, the notebook's model would become the default."""
    ignore = shutil.ignore_patterns("report")
    for name in ("champion", "notebook"):
        shutil.copytree(SAVED_MODELS / name, tmp_path / name, ignore=ignore)
    app = create_app(tmp_path, admin_token="token")
    shutil.rmtree(tmp_path / "champion")

    headers = {"authorization": "Bearer token"}
    response = send(app, "POST", "/models/champion/reload", headers=headers)

    assert response.status_code == 409
    assert "default model champion" in response.json()["detail"]
    assert app.state.models.default.name == "champion"
