"""Waits, each with a deadline."""

import time


def wait_until(condition, seconds=10):
    """Wait until the condition is true; returns its value."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"the condition must hold within {seconds} seconds"
        time.sleep(0.005)
    return found


def join_all(threads, seconds=60):
    """Wait for the end of threads or processes."""
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))
        assert not thread.is_alive(), f"{thread.name} must end within {seconds} seconds"
