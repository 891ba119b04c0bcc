"""Counters summed over several workers, each of which stores its own in a shared directory."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DIR_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client keeps its counters in this directory if it is set when it is imported."""

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # writable even when the image is read-only


@contextmanager
def share_counts() -> Iterator[None]:
    """Let all workers started inside expose the sums of their counters.

    Their parent enters it before anything imports prometheus_client. The directory is that of
    PROMETHEUS_MULTIPROC_DIR, whose counters are deleted at the start and the end. Without it, a new
    one in shared memory is removed at the end, unless SIGKILL ends the parent.

    The counts of a worker that has ended stay in the sums, so no counter decreases. Workers need
    not call prometheus_client's `mark_process_dead`, which only matters for shared gauges.

    Raises OSError when no such directory is writable.
    """
    if "prometheus_client" in sys.modules:
        raise RuntimeError("prometheus_client must be imported after share_counts is entered")
    configured = os.environ.get(DIR_VARIABLE)
    parent = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    directory = Path(configured or tempfile.mkdtemp(prefix="housing-counts-", dir=parent))
    owner = os.getpid()
    os.environ[DIR_VARIABLE] = str(directory)
    _clear(directory)
    try:
        yield
    finally:
        if os.getpid() == owner:  # not in a forked worker
            _clear(directory)
            if not configured:
                directory.rmdir()
                del os.environ[DIR_VARIABLE]


def can_share_counts() -> bool:
    """Return whether PROMETHEUS_MULTIPROC_DIR is unset or names a writable directory."""
    directory = os.environ.get(DIR_VARIABLE)
    return directory is None or (Path(directory).is_dir() and os.access(directory, os.W_OK))


def _clear(directory: Path) -> None:
    for file in directory.glob("*.db"):
        file.unlink()
