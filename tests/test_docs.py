import json
import re

import httpx
import pytest

from models.features import FEATURES
from tests.support.rows import ROW
from tests.support.servers import PROJECT, serving


@pytest.fixture(scope="module")
def document(client):
    return client.get("/openapi.json").json()


def test_the_documentation_page_needs_no_other_host(server, page, document):
    """A browser that cannot resolve host names shows every address."""
    page.goto(f"{server.url}/docs")
    page.wait_for_selector(".opblock")

    shown = page.eval_on_selector_all(
        ".opblock-summary-path", "all => all.map(e => e.dataset.path)"
    )

    assert sorted(shown) == sorted(document["paths"])
    assert page.errors == []


@pytest.mark.parametrize("address", ["/predict", "/predict/batch", "/v2/models/{name}/infer"])
def test_executing_an_example_gets_its_documented_response(server, page, document, address):
    operation = document["paths"][address]["post"]
    content = operation["responses"]["200"]["content"]["application/json"]
    expected = content["example"] if "example" in content else content["examples"]["rows"]["value"]

    page.goto(f"{server.url}/docs")
    block = page.locator(
        f"#operations-{operation['tags'][0].replace(' ', '_')}-{operation['operationId']}"
    )
    block.locator(".opblock-summary-control").click()
    block.locator(".execute").click()
    answer = block.locator(".live-responses-table .response-col_description .microlight").first
    answer.wait_for()

    assert json.loads(answer.inner_text()) == expected
    assert page.errors == []


def test_the_documentation_page_allows_scripts_of_its_own_host_only(client):
    page = client.get("/docs")

    assert page.headers["content-security-policy"].startswith("default-src 'self';")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 6
    for link in links:
        assert client.get(f"/{link.removeprefix('./')}").status_code == 200


def test_the_documentation_and_the_start_page_link_to_each_other(server, page):
    page.goto(f"{server.url}/docs")
    page.get_by_role("link", name="try the models").click()
    page.wait_for_url(f"{server.url}/")
    page.get_by_role("link", name="API documentation").click()
    page.wait_for_url(f"{server.url}/docs")


def test_the_schema_has_units_bounds_and_training_ranges(document, saved):
    schema = document["components"]["schemas"]["HouseFeatures"]
    ranges = saved.model.training_ranges

    assert schema["additionalProperties"] is False
    assert schema["required"] == [feature.name for feature in FEATURES]
    for index, feature in enumerate(FEATURES):
        field = schema["properties"][feature.name]
        lower = "exclusiveMinimum" if feature.excludes_minimum else "minimum"
        assert field["type"] == "number"
        assert (field[lower], field["maximum"]) == (feature.minimum, feature.maximum)
        assert field["x-unit"] == feature.unit
        assert feature.unit in field["description"]
        assert field["x-training-range"] == [
            ranges.feature_minimum[index],
            ranges.feature_maximum[index],
        ]


def test_the_documented_example_is_the_actual_prediction(document, client):
    operation = document["paths"]["/predict"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    answer = operation["responses"]["200"]["content"]["application/json"]["example"]

    assert client.post("/predict", json=example).json() == answer


def test_every_documented_error_has_the_media_type_of_its_address_and_an_example(document):
    responses = document["paths"]["/predict"]["post"]["responses"]

    assert set(responses) == {"200", "404", "413", "415", "422", "500", "503"}
    assert set(document["paths"]["/models/{name}"]["get"]["responses"]) == {"200", "404", "500"}
    for address, path in document["paths"].items():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if status[0] in "45":
                    (media_type,) = response["content"]
                    of_v2 = address.startswith("/v2")
                    assert media_type == (
                        "application/json" if of_v2 else "application/problem+json"
                    )
                    assert response["content"][media_type]["example"]
    assert not {"HTTPValidationError", "ValidationError"} & document["components"]["schemas"].keys()


JSON = {"content-type": "application/json"}
TOO_OLD = json.dumps({**ROW, "HouseAge": 500})
PREDICT = {
    404: {"params": {"model": "x"}, "content": TOO_OLD, "headers": JSON},
    413: {"content": " " * 5_000_000, "headers": JSON},
    415: {"content": "{}"},
    422: {"content": TOO_OLD, "headers": JSON},
}
INFER = {"inputs": [{"name": "features", "shape": [1, 8], "datatype": "FP64"}]}
REQUESTS = {
    ("post", "/predict"): PREDICT,
    ("post", "/explain"): PREDICT,
    ("post", "/predict/batch"): {
        **PREDICT,
        404: {"params": {"model": "x"}, "content": "[]", "headers": JSON},
        422: {"content": "", "headers": {"content-type": "text/csv"}},
    },
    ("get", "/models/{name}"): {404: {}},
    ("post", "/models/{name}/reload"): {403: {}},
    ("post", "/v2/models/{name}/infer"): {
        400: {"json": {"inputs": [{**INFER["inputs"][0], "data": [1, 500, *[1] * 4, 35, -120]}]}},
        404: {},
        413: {"content": " " * 5_000_000},
        415: {"headers": {"content-encoding": "br"}},
    },
}
"""A request that gets each documented status, by operation."""


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [(*operation, status) for operation, by_status in REQUESTS.items() for status in by_status],
)
def test_the_documented_example_of_an_error_is_the_actual_response(
    client, document, method, address, status
):
    response = document["paths"][address][method]["responses"][str(status)]
    ((media_type, content),) = response["content"].items()
    name = "unknown" if status == 404 else "notebook"

    answer = client.request(
        method, address.replace("{name}", name), **REQUESTS[method, address][status]
    )

    assert (answer.status_code, answer.headers["content-type"]) == (status, media_type)
    assert answer.json() == content["example"]


def test_the_committed_openapi_json_is_the_served_one():
    """Computed numbers are compared up to rounding. `make openapi` writes the file."""
    with serving() as server:
        served = httpx.get(f"{server.url}/openapi.json").text

    def rounded(text):
        return json.loads(text, parse_float=lambda digits: pytest.approx(float(digits), rel=1e-5))

    committed = json.loads((PROJECT / "openapi.json").read_text())
    for document in (committed, (served := json.loads(served))):
        texts = document["paths"]["/predict/batch"]["post"]["responses"]["200"]["content"]
        for media_type in ("text/csv", "application/x-ndjson"):
            texts[media_type]["example"] = re.sub(r"\d+\.\d+", "0", texts[media_type]["example"])
    assert rounded(json.dumps(committed)) == served


def test_every_reference_in_the_openapi_document_resolves(document):
    for reference in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)):
        assert reference in document["components"]["schemas"]
