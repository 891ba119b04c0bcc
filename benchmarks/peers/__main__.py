"""python -m benchmarks.peers: requests/s of four model servers and this service, same model.

The server runs on one core and wrk on the other. Each has its own path and its own format of
request and response.
"""

import json
import math
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.peers.contenders import PEERS, peers
from benchmarks.ratios import conditions, table
from benchmarks.running import Contender, this_service
from benchmarks.serving import CONNECTIONS, SECONDS, measure, throughput
from models import SAVED_MODELS
from models.saved_model.storage import load_model

ROUNDS = 5
ROW = (8.3252, 41.0, 6.984127, 1.02381, 322.0, 2.555556, 37.88, -122.23)  # as in every script
TOLERANCE = 1e-9  # 100,000 USD; all compute in float64
KEYS = ("prediction", "predictions", "outputs", "data")


def prediction(response: Any) -> float:
    """Return the number in a response, from any nesting of KEYS and lists of one element."""
    if isinstance(response, list):
        (only,) = response
        return prediction(only)
    if isinstance(response, dict):
        return prediction(next(response[key] for key in KEYS if key in response))
    return float(response)


def check(expected: float, url: str, contender: Contender) -> None:
    """Send one request with wrk; raises RuntimeError if the prediction differs."""
    command = ["wrk", "--threads", "1", "--connections", "1", "--duration", "1s"]
    command += ["--script", str(PEERS / "first_response.lua"), url + contender.path]
    output = subprocess.run(
        [*command, "--", str(contender.script)], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"^response (.*)$", output, re.MULTILINE)
    response = found[1] if found else output
    if not found or not math.isclose(prediction(json.loads(response)), expected, abs_tol=TOLERANCE):
        raise RuntimeError(f"{contender.name} must predict {expected}, got {response:.200}")


def checked_requests_per_second(expected: float, url: str, pid: int, contender: Contender) -> float:
    """Measure requests/s after a check of the prediction."""
    check(expected, url, contender)
    return throughput(url, pid, contender).requests_per_second


def main() -> None:
    """Print one table."""
    if not shutil.which("wrk"):
        sys.exit("wrk must be installed. Run `apt-get install wrk`.")
    expected = load_model(SAVED_MODELS / "notebook").model.predict(np.array([ROW])).item()
    print(f"{conditions('fastapi', 'uvicorn', 'numpy')}; median of {ROUNDS} rounds ", end="")
    print(f"of {SECONDS} s, {CONNECTIONS} connections, the notebook model\n")
    with TemporaryDirectory() as scratch:
        contenders = (this_service("this service", "--default", "notebook"), *peers(Path(scratch)))
        rates = measure(contenders, partial(checked_requests_per_second, expected), ROUNDS)
        print(table(rates, contenders[0].name, "requests/s", times=True))


if __name__ == "__main__":
    main()
