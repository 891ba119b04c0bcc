import shutil
import signal
from pathlib import Path

import httpx
import pytest

from models import SAVED_MODELS
from models.saved_model.storage import MANIFEST, load_model, save_model
from tests.support.load import expected_response, under_load
from tests.support.servers import run, serving

TOKEN = "a-token-of-nobody"
ADMIN = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def saved_models(tmp_path, monkeypatch) -> Path:
    """A directory of saved models with a copy of the notebook's, and an admin token."""
    monkeypatch.setenv("HOUSING_ADMIN_TOKEN", TOKEN)
    directory = tmp_path / "some where"
    copy(directory / "notebook")
    return directory


def copy(directory):
    report = shutil.ignore_patterns("README.md", "report")
    shutil.copytree(SAVED_MODELS / "notebook", directory, ignore=report)


def damage(directory):
    manifest = directory / MANIFEST
    manifest.write_bytes(manifest.read_bytes().replace(b"0.9", b"0.8", 1))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_reload_under_load_loses_no_request(workers, saved_models, saved, other_model):
    """To another version by SIGHUP and back by POST, on kept connections; no response mixes both."""
    notebook = saved_models / "notebook"
    old = expected_response(notebook)
    with serving("--models", str(saved_models), "--workers", workers) as server:
        processes = server.workers
        with under_load(server.port) as load:
            load.wait_for(100)
            save_model(notebook, other_model, saved.card, saved.golden_rows)
            new = expected_response(notebook)
            server.process.send_signal(signal.SIGHUP)
            assert server.next_line() == f"Reloaded {new['model']}\n"
            load.expected = new
            load.wait_for(100)
            load.expected = None
            save_model(notebook, saved.model, saved.card, saved.golden_rows)
            response = httpx.post(f"{server.url}/models/notebook/reload", headers=ADMIN)
            load.expected = old
        assert server.workers == processes

    assert response.status_code == 200
    assert f"notebook@{response.json()['version']}" == old["model"] != new["model"]
    assert (load.wrong, load.lost) == ([], [])
    assert all(content in (old, new) for content in load.answers)
    assert new in load.answers


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_damaged_model_is_rejected_and_the_loaded_one_stays(workers, saved_models, row):
    old = expected_response(saved_models / "notebook")
    with serving("--models", str(saved_models), "--workers", workers) as server:
        damage(saved_models / "notebook")
        server.process.send_signal(signal.SIGHUP)
        sentence = server.next_line()
        damaged = httpx.post(f"{server.url}/models/notebook/reload", headers=ADMIN)
        (saved_models / "notebook" / MANIFEST).unlink()
        gone = httpx.post(f"{server.url}/models/notebook/reload", headers=ADMIN)
        answers = [httpx.post(f"{server.url}/predict", json=row).json() for _ in range(4)]

    assert sentence == (
        f"python -m app: {saved_models}/notebook: model.json must match its seal, but it was "
        "changed or damaged; the loaded models stay in use\n"
    )
    assert (damaged.status_code, gone.status_code) == (409, 409)
    assert damaged.headers["content-type"] == "application/problem+json"
    assert damaged.json()["detail"] == (
        "Cannot load the saved model: notebook: model.json must match its seal, "
        "but it was changed or damaged. The loaded model stays in use."
    )
    assert str(saved_models) not in gone.text
    assert (
        "No default model: expected champion or notebook, found no model" in gone.json()["detail"]
    )
    assert answers == [old] * 4


def test_models_that_appear_are_added_and_those_that_vanish_are_dropped(saved_models):
    with (
        serving("--models", str(saved_models)) as server,
        httpx.Client(base_url=server.url, headers=ADMIN) as client,
    ):

        def names():
            return [model["name"] for model in client.get("/models").json()["models"]]

        copy(saved_models / "second")
        copy(saved_models / "third")
        added = client.post("/models/third/reload")
        after_one = names()
        server.process.send_signal(signal.SIGHUP)
        server.next_line()
        after_all = names()
        shutil.rmtree(saved_models / "second")
        dropped = client.post("/models/second/reload")
        unknown = [
            client.post(f"/models/{name}/reload") for name in ("absent", "%2e%2e", "%00", ".x")
        ]

        assert (added.status_code, added.json()["name"]) == (200, "third")
        assert after_one == ["notebook", "third"]
        assert after_all == ["notebook", "second", "third"]
        assert dropped.status_code == 404
        assert "must be notebook or third, got another name" in dropped.json()["detail"]
        assert [response.status_code for response in unknown] == [404] * 4
        assert names() == ["notebook", "third"]


def test_documents_about_models_change_with_a_reload(saved_models, saved, other_model):
    """The examples of /openapi.json are the default model's actual predictions, and the ETags change."""
    with (
        serving("--models", str(saved_models)) as server,
        httpx.Client(base_url=server.url, headers=ADMIN) as client,
    ):
        addresses = ("/openapi.json", "/models", "/models/notebook")
        tags = [client.get(address).headers["etag"] for address in addresses]
        save_model(saved_models / "notebook", other_model, saved.card, saved.golden_rows)
        client.post("/models/notebook/reload")
        responses = [
            client.get(address, headers={"if-none-match": tag})
            for address, tag in zip(addresses, tags, strict=True)
        ]
        operation = responses[0].json()["paths"]["/predict"]["post"]
        row = operation["requestBody"]["content"]["application/json"]["example"]
        documented = operation["responses"]["200"]

        assert [response.status_code for response in responses] == [200, 200, 200]
        assert (
            client.post("/predict", json=row).json()
            == (documented["content"]["application/json"]["example"])
        )
        assert (
            documented["headers"]["X-Model"]["example"]
            == f"notebook@{load_model(saved_models / 'notebook').version}"
        )


def test_a_reload_needs_the_admin_token(saved_models):
    with serving("--models", str(saved_models)) as server:
        for authorization in (
            None,
            "Bearer",
            f"Basic {TOKEN}",
            "Bearer a-token-of-someöne".encode(),
        ):
            headers = {"authorization": authorization} if authorization else {}
            response = httpx.post(f"{server.url}/models/notebook/reload", headers=headers)

            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert response.headers["content-type"] == "application/problem+json"


def test_without_an_admin_token_the_error_says_how_to_set_one(client):
    response = client.post("/models/notebook/reload", headers=ADMIN)

    assert response.status_code == 403
    assert response.json()["detail"] == (
        "Reloading needs an admin token, and the service has none. "
        "Start it with HOUSING_ADMIN_TOKEN set."
    )


@pytest.mark.parametrize("token", ["fifteen-letters", "ein-Schlüssel-der-Öffnet"])
def test_an_invalid_admin_token_gives_a_one_line_error_and_exit_status_2(token, monkeypatch):
    monkeypatch.setenv("HOUSING_ADMIN_TOKEN", token)

    result = run("-m", "app", "serve", "--port", "0")

    assert result.returncode == 2
    assert "HOUSING_ADMIN_TOKEN must be at least 16 visible ASCII" in result.stderr
    assert token not in result.stderr
    assert result.stderr.count("\n") == 1
