"""What a running server tells its operator: a sentence on standard error."""

import contextlib
import sys


def log_to_stderr(sentence: str) -> None:
    """Write a sentence to standard error; whoever reads it may have gone, and the service stays."""
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)
