import json
import re
import subprocess

import pytest

from models.features import FEATURES
from tests.conftest import counterpart


@pytest.fixture(scope="module")
def document(client):
    return client.get("/openapi.json").json()


def test_the_documentation_page_is_complete_without_another_host(server, tmp_path):
    """A real browser that can resolve no name shows every address."""
    chromium = counterpart("chromium", "chromium-browser", "google-chrome", package="chromium")

    result = subprocess.run(
        [
            chromium,
            *["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"],
            *["--disable-background-networking", "--disable-component-update", "--disable-sync"],
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            f"--user-data-dir={tmp_path}",
            "--enable-logging=stderr",
            "--virtual-time-budget=10000",
            "--dump-dom",
            f"{server.url}/docs",
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )

    for address in ("/predict", "/metrics", "/models", "/models/{name}", "/livez", "/readyz"):
        assert f'data-path="{address}"' in result.stdout
    assert "CONSOLE" not in result.stderr, result.stderr


def test_the_documentation_page_allows_scripts_of_its_own_host_only(client):
    page = client.get("/docs")

    assert page.headers["content-security-policy"].startswith("default-src 'self';")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 4
    for link in links:
        assert client.get(f"/{link}").status_code == 200


def test_the_root_leads_to_the_documentation(client):
    assert client.get("/", follow_redirects=True).url.path == "/docs"


def test_the_schema_tells_units_bounds_and_training_ranges(document, saved):
    schema = document["components"]["schemas"]["HouseFeatures"]
    ranges = saved.model.training_ranges

    assert schema["additionalProperties"] is False
    assert schema["required"] == [feature.name for feature in FEATURES]
    for index, feature in enumerate(FEATURES):
        field = schema["properties"][feature.name]
        lower = "exclusiveMinimum" if feature.above_minimum else "minimum"
        assert field["type"] == "number"
        assert (field[lower], field["maximum"]) == (feature.minimum, feature.maximum)
        assert field["x-unit"] == feature.unit
        assert feature.unit in field["description"]
        assert field["x-training-range"] == [
            ranges.feature_minimum[index],
            ranges.feature_maximum[index],
        ]


def test_the_example_row_stands_with_its_true_answer(document, client):
    operation = document["paths"]["/predict"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    answer = operation["responses"]["200"]["content"]["application/json"]["example"]

    assert client.post("/predict", json=example).json() == answer


def test_every_error_has_its_shape(document):
    schemas = document["components"]["schemas"]
    responses = document["paths"]["/predict"]["post"]["responses"]

    assert set(responses) == {"200", "404", "413", "415", "422", "500"}
    assert set(document["paths"]["/models/{name}"]["get"]["responses"]) == {"200", "404", "500"}
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if status[0] in "45":
                    (media_type,) = response["content"]
                    assert media_type == "application/problem+json"
    assert {"Problem", "RefusedField"} <= schemas.keys()
    assert not {"HTTPValidationError", "ValidationError"} & schemas.keys()


def test_every_reference_in_the_document_leads_somewhere(document):
    for reference in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)):
        assert reference in document["components"]["schemas"]
