"""The Prometheus and Grafana configuration in deploy/, tested with a real Prometheus."""

import json
import re
import socket
import subprocess
import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from tests.support.programs import find_program
from tests.support.rows import ROW
from tests.support.servers import PROJECT, serving

DEPLOY = PROJECT / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/housing.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def read_yaml(name):
    return YAML(typ="safe").load(DEPLOY / name)


RULES = [rule for group in read_yaml("alerts.yml")["groups"] for rule in group["rules"]]


def promtool(*arguments):
    return subprocess.run(
        [find_program("promtool", package="prometheus"), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def busy_server():
    """A separate server after known traffic of every kind."""
    with serving("--default", "notebook") as server:
        with httpx.Client(base_url=server.url) as client:
            for model, count in (("notebook", 7), ("champion", 3)):
                for _ in range(count):
                    client.post(f"/predict?model={model}", json=ROW)
            client.post("/predict", json={**ROW, "MedInc": -1})
            client.get("/nowhere")
        yield server


@pytest.fixture(scope="module")
def prometheus(busy_server, tmp_path_factory):
    """Prometheus with deploy/'s configuration, scraping the busy server at short intervals."""
    program = find_program("prometheus", package="prometheus")
    directory = tmp_path_factory.mktemp("prometheus")
    configuration = (DEPLOY / "prometheus.yml").read_text()
    assert "housing:8000" in configuration
    configuration = configuration.replace("housing:8000", f"127.0.0.1:{busy_server.port}")
    (directory / "prometheus.yml").write_text(configuration.replace("15s", "250ms"))
    (directory / "alerts.yml").write_text((DEPLOY / "alerts.yml").read_text())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address={address}",
            ],
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://{address}") as client:
            yield Prometheus(client)
    finally:
        process.terminate()
        process.wait(timeout=30)


class Prometheus:
    def __init__(self, client):
        self.client = client

    def query(self, expression):
        """The labels and the value of each series; an empty list while Prometheus starts."""
        try:
            response = self.client.get("/api/v1/query", params={"query": expression})
        except httpx.ConnectError:
            return []
        if response.status_code == 503:  # starting
            return []
        assert response.status_code == 200, response.text
        return [
            (entry["metric"], float(entry["value"][1]))
            for entry in response.json()["data"]["result"]
        ]

    def wait_for(self, expression):
        """The result of an expression as soon as it is not empty."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if answer := self.query(expression):
                return answer
            time.sleep(0.1)
        raise AssertionError(f"{expression} has no result; targets: {self.targets()}")

    def targets(self):
        return self.client.get("/api/v1/targets").text


def test_prometheus_scrapes_the_services_counts(prometheus):
    prometheus.wait_for("up == 1")

    answer = prometheus.wait_for("housing_predictions_total")
    values = prometheus.query("housing_prediction_value_count")

    for series in (answer, values):
        assert {labels["model"]: value for labels, value in series} == {
            "notebook": 7,
            "champion": 3,
        }
    assert [value for _, value in prometheus.query('housing_http_requests_total{code="404"}')] == [
        1
    ]
    rejected = prometheus.query("housing_rejected_rows_total > 0")
    assert [(labels["reason"], value) for labels, value in rejected] == [("out_of_bounds", 1)]


def test_every_panel_of_the_dashboard_has_data(prometheus):
    prometheus.wait_for("rate(housing_http_requests_total[1m])")

    for expression in EXPRESSIONS:
        assert prometheus.query(re.sub(r"\$__(rate_interval|range)", "1m", expression)), expression


def test_every_alert_is_evaluated_and_a_healthy_service_raises_none(prometheus):
    prometheus.wait_for("rate(housing_http_requests_total[1m])")

    answer = prometheus.client.get("/api/v1/rules").json()
    rules = [rule for group in answer["data"]["groups"] for rule in group["rules"]]

    assert {rule["name"] for rule in rules} == {rule["alert"] for rule in RULES}
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}  # unknown: not yet evaluated
    assert {rule["state"] for rule in rules} == {"inactive"}


@pytest.fixture(scope="module")
def labels_by_name(busy_server):
    """The labels of every series that a real server exposes, and those that Prometheus adds."""
    text = httpx.get(f"{busy_server.url}/metrics", headers={"accept": "text/plain"}).text
    by_name = {"up": {"job", "instance"}}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            by_name.setdefault(sample.name, {"job", "instance"}).update(sample.labels)
    return by_name


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *(rule["expr"] for rule in RULES)])
def test_every_series_and_label_in_dashboard_and_alerts_is_exposed(labels_by_name, expression):
    names = re.findall(r"\bhousing_\w+|\bup\b", expression)
    matched = re.findall(r"(\w+)(?:=|=~|!~)\"", expression)
    grouped = [
        name for names in re.findall(r"by \((.+?)\)", expression) for name in names.split(", ")
    ]

    assert names
    assert {*names} <= labels_by_name.keys()
    assert {*matched, *grouped} <= set.union(*(labels_by_name[name] for name in names))


def test_promtool_accepts_the_configuration_and_the_rules():
    configuration = promtool("check", "config", str(DEPLOY / "prometheus.yml"))
    rules = promtool("check", "rules", str(DEPLOY / "alerts.yml"))

    assert configuration.returncode == 0, configuration.stderr
    assert rules.returncode == 0, rules.stderr
    assert f"SUCCESS: {len(RULES)} rules found" in rules.stdout


HEALTHY = {
    'up{job="housing", instance="a"}': "1x120",
    'housing_ready{instance="a"}': "1x120",
    'housing_http_requests_total{method="POST", route="/predict", code="200"}': "0+600x120",
    'housing_http_request_duration_seconds_bucket{route="/predict", le="0.001"}': "0+600x120",
    'housing_http_request_duration_seconds_bucket{route="/predict", le="+Inf"}': "0+600x120",
    'housing_predictions_total{model="champion"}': "0+600x120",
    'housing_prediction_value_sum{model="champion"}': "0+1200x120",
    'housing_prediction_value_count{model="champion"}': "0+600x120",
    'housing_prediction_value_bucket{model="champion", le="4.99"}': "0+580x120",
    'housing_rejected_rows_total{reason="missing"}': "0+1x120",
    'housing_feature_out_of_range_total{feature="Population", side="above"}': "0+1x120",
}
"""Series of two healthy hours, minute by minute."""

FAULTS = {
    "HousingDown": {'up{job="housing", instance="a"}': "0x120"},
    "HousingDraining": {'housing_ready{instance="a"}': "0x120"},
    "HousingErrors": {
        'housing_http_requests_total{method="POST", route="/predict", code="500"}': "0+10x120"
    },
    "HousingOverloaded": {
        'housing_http_requests_total{method="POST", route="unmatched", code="503"}': "0+100x120"
    },
    "HousingSlow": {
        'housing_http_request_duration_seconds_bucket{route="/predict", le="0.001"}': "0+500x120",
        'housing_http_request_duration_seconds_bucket{route="/predict", le="0.25"}': "0+600x120",
    },
    "HousingRejectedRows": {'housing_rejected_rows_total{reason="missing"}': "0+100x120"},
    "HousingRowsOutOfRange": {
        'housing_feature_out_of_range_total{feature="Population", side="above"}': "0+30x120"
    },
    "HousingPredictionsDrift": {
        'housing_prediction_value_sum{model="champion"}': "0+1200x80 96000+6000x40"
    },
    "HousingPredictionsAtTheCap": {
        'housing_prediction_value_bucket{model="champion", le="4.99"}': "0+400x120"
    },
}


def test_each_alert_fires_for_its_own_fault_only(tmp_path):
    """Evaluate the rules on two healthy hours, and on two hours with each fault."""
    tests = []
    for wrong in (None, *FAULTS):
        series = HEALTHY | FAULTS.get(wrong, {})
        tests.append(
            {
                "name": wrong or "healthy",
                "interval": "1m",
                "input_series": [{"series": name, "values": v} for name, v in series.items()],
                "promql_expr_test": [
                    {
                        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                        "eval_time": "119m",
                        "exp_samples": [{"labels": f'{{alertname="{wrong}"}}', "value": 1}] * bool(wrong),
                    }
                ],
            }
        )  # fmt: skip
    # JSON is YAML
    (tmp_path / "tests.yml").write_text(
        json.dumps({"rule_files": [str(DEPLOY / "alerts.yml")], "tests": tests})
    )

    result = promtool("test", "rules", str(tmp_path / "tests.yml"))

    assert {*FAULTS} == {rule["alert"] for rule in RULES}
    assert result.returncode == 0, result.stdout + result.stderr


def test_compose_mounts_existing_files_and_pins_every_image():
    services = read_yaml("compose.yaml")["services"]

    assert services["housing"]["read_only"] is True
    for name, service in services.items():
        for port in service["ports"]:
            assert port.startswith("127.0.0.1:")
        if name == "housing":
            assert (DEPLOY / service["build"] / "Dockerfile").is_file()
        else:
            assert re.fullmatch(r"\w+/\w+:v?\d+\.\d+\.\d+", service["image"])
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert (DEPLOY / source).exists() or source in read_yaml("compose.yaml")["volumes"]


def test_grafana_is_provisioned_with_the_dashboards_data_source():
    grafana = read_yaml("compose.yaml")["services"]["grafana"]
    (source,) = read_yaml("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    (provider,) = read_yaml("grafana/provisioning/dashboards/housing.yml")["providers"]

    used = {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} | {
        target["datasource"]["uid"] for panel in DASHBOARD["panels"] for target in panel["targets"]
    }
    assert used == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in grafana["volumes"]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
