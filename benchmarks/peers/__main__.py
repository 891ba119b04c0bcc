"""python -m benchmarks.peers: requests a second beside four model servers, all with one model.

Each is on one core and wrk on the other, with its own address, body and answer.
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
from benchmarks.ratios import circumstances
from benchmarks.running import Contender, ours
from benchmarks.serving import CONNECTIONS, SECONDS, compare, requests_per_second
from models import SAVED_MODELS
from models.saved_model.storage import load_model

ROUNDS = 5
ROW = (8.3252, 41.0, 6.984127, 1.02381, 322.0, 2.555556, 37.88, -122.23)  # as every script has it
TOLERANCE = 1e-9  # 100,000 USD; all of them answer in float64
KEYS = ("prediction", "predictions", "outputs", "data")


def prediction(answer: Any) -> float:
    """The number in an answer, under whatever names and in however many lists of one."""
    if isinstance(answer, list):
        (only,) = answer
        return prediction(only)
    if isinstance(answer, dict):
        return prediction(next(answer[key] for key in KEYS if key in answer))
    return float(answer)


def check(expected: float, url: str, contender: Contender) -> None:
    """Have wrk send one request; raises RuntimeError where the prediction is another one."""
    command = ["wrk", "--threads", "1", "--connections", "1", "--duration", "1s"]
    command += ["--script", str(PEERS / "answer.lua"), url + contender.path]
    said = subprocess.run(
        [*command, "--", str(contender.script)], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"^answer (.*)$", said, re.MULTILINE)
    answer = found[1] if found else said
    if not found or not math.isclose(prediction(json.loads(answer)), expected, abs_tol=TOLERANCE):
        raise RuntimeError(f"{contender.name} must predict {expected}, however: {answer:.200}")


def checked(expected: float, url: str, contender: Contender) -> float:
    """Requests a second of a server that predicts what it should."""
    check(expected, url, contender)
    return requests_per_second(url, contender)


def main() -> None:
    """Print one table."""
    if not shutil.which("wrk"):
        sys.exit("wrk must be installed (apt-get install wrk), however it is missing")
    expected = load_model(SAVED_MODELS / "notebook").model.predict(np.array([ROW])).item()
    print(f"{circumstances('fastapi', 'uvicorn', 'numpy')}; median of {ROUNDS} rounds ", end="")
    print(f"of {SECONDS} s, {CONNECTIONS} connections, the notebook model\n")
    with TemporaryDirectory() as scratch:
        contenders = (ours("this service", "--default", "notebook"), *peers(Path(scratch)))
        figure = partial(checked, expected)
        print(compare(contenders, figure, "requests/s", ROUNDS, times=True))


if __name__ == "__main__":
    main()
