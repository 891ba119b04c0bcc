"""How each peer is started and called, as documented; one worker, without an access log."""

import subprocess
from importlib.metadata import distributions
from pathlib import Path

from benchmarks.running import PROJECT, Contender

PEERS = PROJECT / "benchmarks" / "peers"
ENVIRONMENT = {
    "PYTHONPATH": str(PROJECT),  # the peers load the notebook model with this project's code
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def mlserver(scratch: Path) -> Contender:
    """A custom runtime, called with the Open Inference Protocol V2."""
    return _peer(
        "MLServer",
        (_program("mlserver"), "start", str(PEERS / "mlserver")),
        path="/v2/models/notebook/infer",
        ready="/v2/models/notebook/ready",
        environment={"MLSERVER_HTTP_PORT": "{port}", "MLSERVER_METRICS_DIR": str(scratch)},
    )


def bentoml(scratch: Path) -> Contender:
    """A service with an API."""
    service = ("service:HousePrice", "--working-dir", str(PEERS / "bentoml"))
    return _peer(
        "BentoML",
        (_program("bentoml"), "serve", *service, "--host", "127.0.0.1", "--port", "{port}"),
        path="/predict",
        ready="/readyz",
        environment={"BENTOML_HOME": str(scratch)},
    )


def litserve(_: Path) -> Contender:
    """A LitAPI."""
    return _peer(
        "LitServe",
        (str(PEERS / "litserve" / "server.py"), "{port}"),
        path="/predict",
        ready="/health",
        environment={},
    )


def mlflow(scratch: Path) -> Contender:
    """A pyfunc model, saved in a scratch directory first, called at /invocations."""
    saved = str(scratch / "pyfunc")
    subprocess.run(
        [_python("mlflow"), str(PEERS / "mlflow" / "save.py"), saved],
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
    )
    options = ("--env-manager", "local", "--workers", "1", "--host", "127.0.0.1")
    return _peer(
        "MLflow",
        (_program("mlflow"), "models", "serve", "-m", saved, *options, "--port", "{port}"),
        path="/invocations",
        ready="/ping",
        # MLflow starts the uvicorn that it finds on PATH.
        environment={"PATH": f"{_bin('mlflow')}:/usr/bin:/bin", "UVICORN_ACCESS_LOG": "false"},
    )


def peers(scratch: Path) -> list[Contender]:
    """Return all peers; they write into the scratch directory."""
    return [make(scratch) for make in (mlserver, bentoml, litserve, mlflow)]


def _peer(
    title: str, arguments: tuple[str, ...], *, path: str, ready: str, environment: dict[str, str]
) -> Contender:
    name = title.lower()
    return Contender(
        f"{title} {_version(name)}",
        arguments,
        path,
        python=_python(name),
        environment={**ENVIRONMENT, **environment},
        script=PEERS / name / "request.lua",
        ready=ready,
    )


def _bin(name: str) -> Path:
    return PROJECT / f".venv-{name}" / "bin"


def _python(name: str) -> str:
    return str(_bin(name) / "python")


def _program(name: str) -> str:
    return str(_bin(name) / name)


def _version(name: str) -> str:
    """Return the version installed in the peer's environment."""
    (packages,) = _bin(name).parent.glob("lib/python*/site-packages")
    return next(iter(distributions(name=name, path=[str(packages)]))).version
