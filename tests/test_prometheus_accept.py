import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

JSON = "application/json"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
TEXT_1 = "text/plain; version=1.0.0; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)

JSON_ACCEPTED = {
    "nothing": None,
    "empty": "",
    "curl, httpx, requests": "*/*",
    "axios": "application/json, text/plain, */*",
    "Firefox": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Chromium": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
    "Swagger UI": "application/json",
    "Java's HttpURLConnection": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "any text": "text/*",
    "JSON alike": "application/json;q=0.5, text/plain;q=0.5",
}  # fmt: skip

PROMETHEUS = {
    "Prometheus 2.42": (
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        OPENMETRICS,
    ),
    "Prometheus 2.20": (
        "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        TEXT,
    ),
    "Prometheus 3": (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OPENMETRICS,
    ),
    "Prometheus 3 with native histograms": (
        f"{PROTOBUF};q=0.7,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OPENMETRICS,
    ),
    "Prometheus 3, text only": (
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        TEXT_1,
    ),
    "netdata, VictoriaMetrics": ("text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT),
    "Telegraf": (
        f"{PROTOBUF};q=0.7,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
        TEXT,
    ),
    "a quoted version": ('application/openmetrics-text; version="1.0.0"', OPENMETRICS),
    "protobuf alone": (PROTOBUF, TEXT),
    "text/plain": ("text/plain", TEXT),
    "in capitals": ("Text/Plain ; Version=0.0.4", TEXT),
    "text before JSON": ("text/plain, application/json", TEXT),
    "OpenMetrics without a version": ("application/openmetrics-text", OPENMETRICS),
}  # fmt: skip

MALFORMED = [
    *(",", ";", ",;,;=", "/", "text/plain;", "text/plain;;;", "text/plain;version", "=", "q=1"),
    *("text/plain;version=", "text/plain;version=abc", "text/plain;version=1.x", "\xe9\xff"),
    *(f"application/openmetrics-text;version={version}" for version in ("1.", "..", "2.x", "9" * 5000, "²")),
    *(f"text/plain;q={quality}" for quality in ("", "x", "nan", "inf", "-1", "1e999", "9" * 5000)),
    *("application/openmetrics-text;version=1.0.0;escaping=\x80", "text/plain," * 1000),
]  # fmt: skip


def get_metrics(client, accept):
    headers = {"Accept": b"" if accept is None else accept.encode("latin-1", "replace")}
    request = client.build_request("GET", "/metrics", headers=headers)
    if accept is None:
        del request.headers["Accept"]
    return client.send(request)


def families(response):
    """The names of the metric families, parsed by prometheus_client in the response's format."""
    is_openmetrics = response.headers["content-type"].startswith("application/openmetrics-text")
    parse = parse_openmetrics if is_openmetrics else parse_text
    return {family.name for family in parse(response.text)}


@pytest.mark.parametrize("accept", JSON_ACCEPTED.values(), ids=JSON_ACCEPTED)
def test_an_accept_header_without_a_prometheus_type_gets_json(client, accept):
    response = get_metrics(client, accept)

    assert response.headers["content-type"] == JSON
    assert response.headers["vary"] == "Accept"
    assert response.json()["test_rows"] == 5160


@pytest.mark.parametrize(("accept", "content_type"), PROMETHEUS.values(), ids=PROMETHEUS)
def test_an_accept_header_with_a_prometheus_type_gets_that_type(client, accept, content_type):
    response = get_metrics(client, accept)

    assert response.status_code == 200
    assert response.headers["content-type"].partition("; escaping=")[0] == content_type
    assert response.headers["vary"] == "Accept"
    assert {"housing_predictions", "housing_model_test_mae"} <= families(response)


@pytest.mark.parametrize("accept", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_accept_header_gets_200(client, accept):
    response = get_metrics(client, accept)

    assert response.status_code == 200
    if response.headers["content-type"] != JSON:
        assert "housing_predictions" in families(response)


pieces = st.sampled_from(
    [*"*/,;=q0.19 \"", "text/plain", "application/openmetrics-text", JSON, "version", "escaping"]
)  # fmt: skip


@settings(deadline=None)
@given(accept=st.lists(pieces, max_size=20).map("".join).map(str.strip))
def test_no_accept_header_causes_an_internal_error(client, accept):
    assert get_metrics(client, accept).status_code == 200


def test_several_accept_headers_are_one_list(client):
    headers = [("accept", "text/html"), ("accept", "text/plain")]

    assert client.get("/metrics", headers=headers).headers["content-type"] == TEXT


def test_both_formats_of_the_metrics_are_documented(client):
    operation = client.get("/openapi.json").json()["paths"]["/metrics"]["get"]
    content = operation["responses"]["200"]["content"]

    assert [*content] == [JSON, "text/plain", "application/openmetrics-text"]
    assert content[JSON]["schema"] == {"$ref": "#/components/schemas/Metrics"}
    for media_type in ("text/plain", "application/openmetrics-text"):
        assert content[media_type]["schema"] == {"type": "string"}
