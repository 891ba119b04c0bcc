"""The manifests in deploy/, checked against Kubernetes' schemas and against the service itself."""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import httpx
import kubernetes_validate
import pytest
from kubernetes_validate.utils import latest_version
from prometheus_client.parser import text_string_to_metric_families

from app import __version__
from app.server.config import ABORT_SECONDS
from app.server.server import DRAIN_SECONDS, SETTLE_SECONDS
from app.server.supervisor import STOP_SECONDS
from tests.support.kustomize import key_of, read, render
from tests.support.processes import MEBIBYTE, resident_bytes
from tests.support.rows import ROW
from tests.support.servers import PROJECT, run, serving

KUBERNETES = PROJECT / "deploy/kubernetes"
DIRECTORIES = {"base": KUBERNETES / "base", "production": KUBERNETES / "overlays/production"}
RENDERED = {name: render(directory) for name, directory in DIRECTORIES.items()}
BASE, PRODUCTION = RENDERED["base"], RENDERED["production"]
KSERVE = {key_of(each): each for each in read(PROJECT / "deploy/kserve/inferenceservice.yaml")}
RUNTIME = KSERVE["ServingRuntime", "california-housing"]
INFERENCE_SERVICE = KSERVE["InferenceService", "california-housing"]

WITHOUT_SCHEMA = {"ServiceMonitor"}  # a resource of the Prometheus operator
VERSIONS = ["1.30", latest_version()]  # preStop can sleep from 1.30 on
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
PORT = int(re.search(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)[1])


def spec(manifests, kind):
    (manifest,) = (each for (each_kind, _), each in manifests.items() if each_kind == kind)
    return manifest["spec"]


def kserve_pod():
    """The part of KServe's pod that the ServingRuntime and the InferenceService define."""
    predictor = INFERENCE_SERVICE["spec"]["predictor"]
    kserves_own = {"model", "minReplicas", "maxReplicas", "scaleMetric", "scaleTarget"}
    pod = {key: value for key, value in predictor.items() if key not in kserves_own}
    return {**pod, "containers": RUNTIME["spec"]["containers"]}


PODS = {
    "base": spec(BASE, "Deployment")["template"]["spec"],
    "production": spec(PRODUCTION, "Deployment")["template"]["spec"],
    "kserve": kserve_pod(),
}
each_pod = pytest.mark.parametrize("pod", PODS.values(), ids=PODS)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(manifest, id=f"{name}-{kind}")
        for name, manifests in RENDERED.items()
        for (kind, _), manifest in manifests.items()
        if kind not in WITHOUT_SCHEMA
    ],
)
def test_each_manifest_is_valid_by_the_strict_kubernetes_schema(manifest, version):
    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_kserve_pod_is_a_valid_kubernetes_pod():
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "kserve"},
        "spec": PODS["kserve"],
    }

    kubernetes_validate.validate(pod, latest_version(), strict=True)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("readinesProbe",), {}),
        (("readinessProbe", "httpGet", "port"), 8.5),
        (("resources", "requests", "cpu"), ["1"]),
    ],
)
def test_the_schema_check_rejects_a_mistake_in_a_manifest(path, value):
    manifest = deepcopy(BASE["Deployment", "housing"])
    place = manifest["spec"]["template"]["spec"]["containers"][0]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, latest_version(), strict=True)


def kustomize():
    """The command of an installed kustomize 5, which Debian does not package; skips without one."""
    for asked, command in (
        (["kustomize", "version"], ["kustomize", "build"]),
        (["kubectl", "version", "--client"], ["kubectl", "kustomize"]),
    ):
        if shutil.which(asked[0]):
            output = subprocess.run(
                asked, capture_output=True, text=True, timeout=60, check=False
            ).stdout
            if re.search(r"\bv5\.", output):
                return command
    return pytest.skip("kustomize 5 must be installed to compare with, but it is missing")


@pytest.mark.parametrize("name", DIRECTORIES)
def test_kustomize_renders_the_manifests_that_these_tests_check(name, tmp_path):
    output = subprocess.run(
        [*kustomize(), DIRECTORIES[name]], capture_output=True, text=True, timeout=60, check=True
    )
    (tmp_path / "rendered.yaml").write_text(output.stdout)

    assert {key_of(each): each for each in read(tmp_path / "rendered.yaml")} == RENDERED[name]
    assert output.stderr == ""


@each_pod
def test_each_pod_meets_the_restricted_pod_security_standard(pod):
    security = pod["securityContext"]
    user, group = map(int, re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE).groups())

    assert security["runAsNonRoot"] is True
    assert (security["runAsUser"], security["runAsGroup"]) == (user, group)
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.keys()
    for volume in pod.get("volumes", []):
        assert volume.keys() == {"name", "secret"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not any("hostPort" in port for port in container["ports"])


def test_the_namespace_enforces_the_restricted_pod_security_standard():
    namespace = PRODUCTION["Namespace", "housing"]

    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for (kind, _), manifest in PRODUCTION.items():
        if kind != "Namespace":
            assert manifest["metadata"]["namespace"] == namespace["metadata"]["name"]


@each_pod
def test_the_grace_period_is_longer_than_prestop_and_shutdown_together(pod):
    (container,) = pod["containers"]
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    longest = max(DRAIN_SECONDS + SETTLE_SECONDS + ABORT_SECONDS, STOP_SECONDS)

    assert pause + longest + 1 < pod["terminationGracePeriodSeconds"]


@each_pod
def test_each_probes_address_exists(pod, client):
    (container,) = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}

    for name, word in (
        ("startupProbe", "ready"),
        ("readinessProbe", "ready"),
        ("livenessProbe", "live"),
    ):
        probe = container[name]["httpGet"]
        assert word in probe["path"]
        assert client.get(probe["path"]).status_code == 200
        assert ports.get(probe["port"], probe["port"]) == PORT
        assert container[name]["timeoutSeconds"] >= 2


def test_service_links_are_off_because_their_variables_break_the_service():
    """For a Service named housing, Kubernetes sets HOUSING_PORT unless service links are off."""
    name = BASE["Service", "housing"]["metadata"]["name"]
    links = {**os.environ, f"{name.upper()}_PORT": "tcp://10.96.0.10:80"}

    assert run("-m", "app", "serve", env=links).returncode == 2
    assert [pod["enableServiceLinks"] for pod in PODS.values()] == [False] * len(PODS)


def test_the_overlay_sets_only_variables_that_the_service_reads():
    (container,) = PODS["production"]["containers"]
    output = run("-m", "app", "serve", "--help").stdout
    (mount,) = container["volumeMounts"]
    variables = {variable["name"]: variable["value"] for variable in container["env"]}

    for name in variables:
        assert re.search(rf"\b{name}\b", output)
    assert variables["HOUSING_API_KEYS_FILE"].startswith(f"{mount['mountPath']}/")
    assert {volume["name"] for volume in PODS["production"]["volumes"]} == {mount["name"]}


@pytest.mark.parametrize("manifests", RENDERED.values(), ids=RENDERED)
def test_ports_and_selectors_match_across_manifests(manifests):
    deployment, service = spec(manifests, "Deployment"), spec(manifests, "Service")
    labels = deployment["template"]["metadata"]["labels"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    (port,), (service_port,) = container["ports"], service["ports"]
    (endpoint,) = spec(manifests, "ServiceMonitor")["endpoints"]
    autoscaler = spec(manifests, "HorizontalPodAutoscaler")

    assert f"HOUSING_PORT={PORT}" in DOCKERFILE
    assert port["containerPort"] == PORT
    assert (service_port["targetPort"], endpoint["port"]) == (port["name"], service_port["name"])
    for selector in (
        deployment["selector"]["matchLabels"],
        service["selector"],
        spec(manifests, "PodDisruptionBudget")["selector"]["matchLabels"],
        spec(manifests, "NetworkPolicy")["podSelector"]["matchLabels"],
        *(
            each["labelSelector"]["matchLabels"]
            for each in pod.get("topologySpreadConstraints", [])
        ),
    ):
        assert selector
        assert selector.items() <= labels.items()
    assert (
        spec(manifests, "ServiceMonitor")["selector"]["matchLabels"].items()
        <= manifests["Service", "housing"]["metadata"]["labels"].items()
    )
    target = autoscaler["scaleTargetRef"]
    assert manifests[target["kind"], target["name"]]["apiVersion"] == target["apiVersion"]
    assert "replicas" not in deployment


def test_the_network_policy_allows_the_services_port_in_and_nothing_out():
    policy = spec(BASE, "NetworkPolicy")

    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert policy["ingress"] == [{"ports": [{"protocol": "TCP", "port": PORT}]}]
    assert policy["egress"] == []


def test_a_rollout_removes_no_replica_and_a_drain_one_at_a_time():
    rolling = spec(BASE, "Deployment")["strategy"]["rollingUpdate"]
    autoscaler = spec(BASE, "HorizontalPodAutoscaler")

    assert rolling == {"maxSurge": 1, "maxUnavailable": 0}
    assert spec(BASE, "PodDisruptionBudget")["maxUnavailable"] == 1
    assert 1 < autoscaler["minReplicas"] < autoscaler["maxReplicas"]


def test_the_overlay_changes_only_image_spread_keys_and_scale():
    deployment = deepcopy(PRODUCTION["Deployment", "housing"])
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    spread = pod.pop("topologySpreadConstraints")
    image = container.pop("image")
    for key in ("env", "volumeMounts"):
        del container[key]
    del pod["volumes"], deployment["metadata"]["namespace"]
    container["image"] = "housing"

    assert deployment == BASE["Deployment", "housing"]
    assert image.endswith(f"/housing:{__version__}")
    assert [each["topologyKey"] for each in spread] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    assert (
        spec(PRODUCTION, "HorizontalPodAutoscaler")["metrics"]
        == spec(BASE, "HorizontalPodAutoscaler")["metrics"]
    )


def test_kserve_runs_the_image_with_the_v2_protocol(client):
    predictor, runtime = INFERENCE_SERVICE["spec"]["predictor"], RUNTIME["spec"]
    model = predictor["model"]
    (model_format,) = runtime["supportedModelFormats"]
    (container,) = runtime["containers"]

    assert (INFERENCE_SERVICE["apiVersion"], RUNTIME["apiVersion"]) == (
        "serving.kserve.io/v1beta1",
        "serving.kserve.io/v1alpha1",
    )
    assert model["runtime"] == RUNTIME["metadata"]["name"]
    assert model["modelFormat"]["name"] == model_format["name"]
    assert model["protocolVersion"] == "v2"
    assert runtime["protocolVersions"] == ["v2"]
    assert client.get("/v2/models/champion/ready").status_code == 200
    assert container["name"] == "kserve-container"
    assert runtime["annotations"] == {
        "prometheus.kserve.io/path": "/metrics",
        "prometheus.kserve.io/port": str(PORT),
    }


@pytest.fixture(scope="module")
def exposed(server):
    """The names of the metrics at the address in the ServiceMonitor."""
    (endpoint,) = spec(BASE, "ServiceMonitor")["endpoints"]
    accept = (
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1"
    )
    response = httpx.get(f"{server.url}{endpoint['path']}", headers={"accept": accept})
    text = response.text.removesuffix("# EOF\n")
    return {family.name for family in text_string_to_metric_families(text)}


def test_the_service_monitor_scrapes_the_metrics_under_the_job_name_of_the_alerts(exposed):
    assert "housing_ready" in exposed
    job = BASE["Service", "housing"]["metadata"]["name"]
    assert f'up{{job="{job}"}}' in (PROJECT / "deploy/alerts.yml").read_text()


def autoscaled(kind):
    (metric,) = (
        each for each in spec(BASE, "HorizontalPodAutoscaler")["metrics"] if each["type"] == kind
    )
    return metric


def test_the_autoscaler_uses_the_share_of_the_requested_cpu():
    (container,) = PODS["base"]["containers"]

    assert autoscaled("Resource")["resource"]["name"] == "cpu"
    assert container["resources"]["requests"]["cpu"] == "1"
    assert "cpu" not in container["resources"]["limits"]


def test_the_autoscaler_uses_requests_in_flight_which_the_service_exposes(exposed):
    assert autoscaled("Pods")["pods"]["metric"]["name"] in exposed


def test_a_real_process_stays_within_each_pods_memory_request_and_limit():
    """At rest within the request; after two concurrent JSON batches of the maximum size, the limit."""
    with serving() as server, httpx.Client(base_url=server.url, timeout=60) as client:
        assert client.post("/predict", json=ROW).status_code == 200
        at_rest = resident_bytes(server.process)
        with ThreadPoolExecutor() as pool:
            batches = [
                pool.submit(client.post, "/predict/batch", json=[ROW] * 10_000) for _ in range(2)
            ]
        assert [batch.result(60).status_code for batch in batches] == [200, 200]
        peak = resident_bytes(server.process, "VmHWM")

    for pod in PODS.values():
        (container,) = pod["containers"]
        assert at_rest < mebibytes(container["resources"]["requests"]["memory"])
        assert peak < mebibytes(container["resources"]["limits"]["memory"])


def mebibytes(quantity):
    return int(quantity.removesuffix("Mi")) * MEBIBYTE
