"""Runs a part of the cases in a process of a pool."""

import time
from multiprocessing.synchronize import Event

from tests.fuzz.requests import make_case
from tests.fuzz.runner import Counts, run

_stop: Event


def initialize(stop: Event) -> None:
    """Keep the event that stops all workers."""
    global _stop  # noqa: PLW0603
    _stop = stop


def run_cases(seed: int, indices: range, seconds: float) -> Counts:
    deadline = time.monotonic() + seconds
    cases = (make_case(seed, index) for index in indices)
    return run(cases, lambda: _stop.is_set() or time.monotonic() > deadline)
