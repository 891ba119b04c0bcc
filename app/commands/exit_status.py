"""Exit statuses, and the message of a command that fails."""

import sys

NOT_READY = NO_WORKER = 1
BAD_ARGUMENTS = 2
BAD_MODEL = 3
REJECTED_ROWS = 4
# 128 plus the signal's number, as a shell reports a process that a signal ended.
INTERRUPTED, BROKEN_PIPE, TERMINATED = 130, 141, 143


def fail(message: object, status: int) -> int:
    """Print one line on standard error. Returns the exit status, for the caller to return."""
    print(f"python -m app: {message}", file=sys.stderr)
    return status
