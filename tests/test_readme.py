import json
import os
import re
import signal
import subprocess

import httpx
import pytest

from models import SAVED_MODELS
from models.features import FEATURES
from tests.capacity import BUSY, capacity
from tests.support.pipes import read_lines
from tests.support.programs import find_program
from tests.support.servers import PROJECT, run, serving

README = (PROJECT / "README.md").read_text()


def block(language):
    """The README's only code block of a language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return text


def test_the_readmes_curl_command_gets_the_response_shown_below_it():
    find_program("curl", package="curl")
    with serving() as server:
        command = block("sh").replace("http://127.0.0.1:8000", server.url)
        reply = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, timeout=30, check=True
        ).stdout

    def rounded(text):  # processors round single precision differently
        return json.loads(text, parse_float=lambda digits: pytest.approx(float(digits), rel=1e-5))

    assert rounded(block("json")) == json.loads(reply)
    assert re.sub(r"\d+", "0", reply) == re.sub(r"\d+", "0", block("json").strip())


def test_the_readmes_python_client_gets_the_prediction_of_the_curl_command(server):
    script = block("python").replace("127.0.0.1:8000", server.url.removeprefix("http://"))

    result = run("-c", script)

    prediction = json.loads(block("json"))["prediction"]
    assert json.loads(result.stdout) == [[pytest.approx(prediction, rel=1e-5)]], result.stderr


@pytest.mark.parametrize("name", ["champion", "notebook"])
def test_the_readmes_metrics_are_those_of_the_saved_model(name):
    metrics = json.loads((SAVED_MODELS / name / "model.json").read_text())["metrics"]
    figures = ("mae", "rmse", "mse", "coverage", "mean_width")

    assert f"| `{name}` | " + " | ".join(f"{metrics[figure]:.4f}" for figure in figures) in README
    assert f"{metrics['test_rows']:,} rows of the test part" in README


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_the_readme_lists_each_feature_with_its_unit_and_bounds(feature):
    bounds = feature.bounds.removeprefix("from ").removesuffix(f" ({feature.unit})")

    assert f"| `{feature.name}`, {feature.description} | {feature.unit} | {bounds} |" in README


def test_every_make_target_named_in_the_readme_exists():
    targets = re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE)

    assert set(re.findall(r"make ([a-z]+)\b", README)) <= {*targets}
    assert {"serve", "test", "train", "bench"} <= {*targets}


def test_every_relative_path_named_in_the_readme_exists():
    for name in re.findall(r"^\| `(\w+/)`", README, re.MULTILINE):
        assert (PROJECT / name).is_dir()


def test_the_capacity_table_follows_from_the_measured_rate():
    per_replica, busy = re.search(r"rate /\n?\s*\(([\d,]+) x ([\d.]+)\)", README).groups()
    microseconds = int(re.search(r"rate x (\d+) us", README)[1])
    assert float(busy) == BUSY
    assert f"| one process: `python -m app serve` | {per_replica} |" in README

    for rate in (1_000, 100_000, 1_000_000):
        assert capacity(rate, int(per_replica.replace(",", "")), microseconds) in README


def test_every_option_of_the_commands_is_in_the_readme():
    for option in (
        *("--output", "--data", "--split", "--split-seed", "--seed"),
        *("--json", "--quiet", "--no-report"),
    ):
        assert f"`{option}" in README
    for option in (
        *("--host", "--port", "--models", "--default", "--workers", "--access-log"),
        *("--api-keys-file", "--allowed-hosts", "--cors-origins"),
    ):
        assert option in README
        assert re.search(rf"`HOUSING_{option[2:].upper().replace('-', '_')}(=\w+)?`", README)
    assert "--open-metrics" in README
    assert "`HOUSING_METRICS_OPEN=1`" in README


def test_make_serve_starts_a_server():
    """On a free port; make forwards the signal that stops the server."""
    process = subprocess.Popen(
        ["make", "serve"],
        cwd=PROJECT,
        env={**os.environ, "HOUSING_PORT": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        greeting = next(line for line in read_lines(process.stderr) if line.startswith("Serving "))
        url = re.search(r"http://\S+:\d+", greeting)[0]
        assert httpx.get(f"{url}/readyz").status_code == 200
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)


def test_the_help_of_each_command_lists_its_options():
    help_texts = [
        run("-m", *command, "--help").stdout
        for command in (["app", "serve"], ["app", "predict"], ["app", "healthcheck"], ["training"])
    ]

    for text, options in zip(
        help_texts,
        (
            [
                *("--host", "--port", "--models", "--default", "--workers", "--access-log"),
                *("--api-keys-file", "--open-metrics", "--allowed-hosts", "--cors-origins"),
            ],
            ["FILE", "--output", "--models", "--default"],
            ["--host", "--port"],
            ["--output", "--data", "--split", "--split-seed", "--seed", "--json", "--quiet"],
        ),
        strict=True,
    ):
        assert all(option in text for option in options)
