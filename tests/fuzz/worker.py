"""A share of the cases, in a process of its own."""

import time
from multiprocessing.synchronize import Event

from tests.fuzz.requests import make_case
from tests.fuzz.runner import Counts, run

_over: Event


def begin(over: Event) -> None:
    """What a process of the pool remembers: the event that ends every share."""
    global _over  # noqa: PLW0603
    _over = over


def run_share(seed: int, indices: range, seconds: float) -> Counts:
    end = time.monotonic() + seconds
    cases = (make_case(seed, index) for index in indices)
    return run(cases, lambda: _over.is_set() or time.monotonic() > end)
