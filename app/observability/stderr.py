"""Messages of a running server to its operator, on standard error."""

import contextlib
import sys


def log_to_stderr(sentence: str) -> None:
    """Write a sentence to standard error; a closed pipe or full disk does not stop the service."""
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)
