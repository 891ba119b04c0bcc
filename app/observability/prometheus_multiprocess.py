"""Counts that are right over several workers: a directory in which each keeps its own."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client keeps its counts in this directory, where the variable is set at its import."""

MEMORY = Path("/dev/shm")  # noqa: S108  # writable where the image runs read-only


@contextmanager
def share_counts() -> Iterator[None]:
    """Let all workers that are started inside expose the sum of what each of them counted.

    To be entered by their parent, before anything imports prometheus_client. The directory is the
    one that PROMETHEUS_MULTIPROC_DIR names, which is emptied of counts at both ends, or a new one
    in memory, which only a SIGKILL of the parent leaves behind. What a worker counted stays in the
    sums after its end, so that no counter falls. prometheus_client's `mark_process_dead` need not
    be called: it is for gauges; none is shared.

    Raises OSError where no such directory can be written to.
    """
    if "prometheus_client" in sys.modules:
        raise RuntimeError("share_counts must come before prometheus_client, however it did not")
    named = os.environ.get(VARIABLE)
    parent = MEMORY if os.access(MEMORY, os.W_OK) else None
    directory = Path(named or tempfile.mkdtemp(prefix="housing-counts-", dir=parent))
    owner = os.getpid()
    os.environ[VARIABLE] = str(directory)
    _empty(directory)
    try:
        yield
    finally:
        if os.getpid() == owner:  # not in a forked worker
            _empty(directory)
            if not named:
                directory.rmdir()
                del os.environ[VARIABLE]


def can_share_counts() -> bool:
    """Whether the directory that PROMETHEUS_MULTIPROC_DIR names, if any, can be written to."""
    directory = os.environ.get(VARIABLE)
    return directory is None or (Path(directory).is_dir() and os.access(directory, os.W_OK))


def _empty(directory: Path) -> None:
    for counts in directory.glob("*.db"):
        counts.unlink()
