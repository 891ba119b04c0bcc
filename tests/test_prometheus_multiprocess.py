import json

import httpx
import pytest

from tests.support.scraping import REQUESTS, scrape
from tests.support.servers import run, serving

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

TWO_WORKERS_THAT_END = """
import json, os, pathlib, subprocess, sys
from app.observability.prometheus_multiprocess import share_counts

def python(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

with share_counts():
    directory = pathlib.Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    python("from app.observability.metrics import count_rejected; [count_rejected('repeated') for _ in range(2)]")
    python("from app.observability.metrics import count_rejected; [count_rejected('repeated') for _ in range(3)]")
    if os.fork() == 0:  # a worker that also leaves the `with` block
        sys.exit()
    os.wait()
    text = python(
        "from app.observability.prometheus import *; from app.inference.registry import *; from pathlib import Path;"
        "models = load_models(Path('models/saved'), None);"
        "print(expose(models, 'text/plain', 1, ready=True).body.decode())"
    )
print(json.dumps([str(directory), directory.exists(), [*map(str, directory.glob("*"))], text]))
"""  # fmt: skip


@pytest.fixture
def two_servers(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with serving("--default", "notebook") as one, serving("--default", "notebook") as other:
        yield one, other


def test_both_processes_expose_the_sum_of_their_counts(two_servers, row):
    for server, count in zip(two_servers, (2, 3), strict=True):
        for _ in range(count):
            httpx.post(f"{server.url}/predict", json={**row, "Population": 100_000})
        httpx.post(f"{server.url}/predict", json={})

    for server in two_servers:
        text, value = exposed(server)
        assert value(REQUESTS, method="POST", route="/predict", code="200") == 5
        assert value(REQUESTS, method="POST", route="/predict", code="422") == 2
        assert value("housing_http_request_duration_seconds_count", route="/predict") == 7
        assert value("housing_predictions_total", model="notebook") == 5
        assert value("housing_prediction_value_bucket", model="notebook", le="+Inf") == 5
        assert value("housing_feature_out_of_range_total", feature="Population", side="above") == 5
        assert value("housing_rejected_rows_total", reason="missing") == 2
        assert value("housing_ready") == 1
        for name in ("housing_model_test_mae", "housing_model_info"):
            assert text.count(f"\n{name}{{") == 2  # once for each model
        assert text.count("\nhousing_build_info{") == 1
        assert text.count("# TYPE housing_predictions_total counter") == 1


def exposed(server):
    """A server's metrics as text, and a function that returns the value of a series."""
    with httpx.Client(base_url=server.url) as client:
        text = client.get("/metrics", headers={"accept": "text/plain"}).text
        samples = scrape(client)
    return text, lambda name, **labels: samples[name, *sorted(labels.items())]


def test_the_directory_is_created_in_memory_and_removed_by_the_parent_only():
    result = run("-c", TWO_WORKERS_THAT_END)

    assert result.returncode == 0, result.stderr
    directory, exists, _, text = json.loads(result.stdout)
    assert directory.startswith("/dev/shm/housing-counts-")
    assert not exists
    assert 'housing_rejected_rows_total{reason="repeated"} 5.0' in text


def test_a_configured_directory_is_emptied_of_counts_at_start_and_exit(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    run(
        "-c",
        "from app.observability.metrics import count_rejected; [count_rejected('repeated') for _ in range(100)]",
    )
    (tmp_path / "note.txt").touch()
    assert [*tmp_path.glob("*.db")]

    result = run("-c", TWO_WORKERS_THAT_END)

    assert result.returncode == 0, result.stderr
    directory, exists, left, text = json.loads(result.stdout)
    assert directory == str(tmp_path)
    assert exists
    assert left == [str(tmp_path / "note.txt")]
    assert 'housing_rejected_rows_total{reason="repeated"} 5.0' in text


def test_sharing_counts_after_prometheus_client_is_imported_is_an_error():
    result = run(
        "-c",
        "import prometheus_client\n"
        "from app.observability.prometheus_multiprocess import share_counts\n"
        "with share_counts(): pass",
    )

    assert "prometheus_client must be imported after share_counts is entered" in result.stderr


@pytest.mark.parametrize("directory", ["", "/nonexistent", "/dev/null"])
def test_an_unusable_directory_gives_a_one_line_error_and_exit_status_2(monkeypatch, directory):
    monkeypatch.setenv(VARIABLE, directory)

    result = run("-m", "app", "serve", "--port", "0")

    assert (result.returncode, result.stderr) == (
        2,
        f"python -m app: {VARIABLE} must name a writable directory, got {directory!r}. "
        "Create the directory or unset the variable.\n",
    )
