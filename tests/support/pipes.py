"""Reads from a pipe or a terminal, each with a deadline.

They buffer nothing, so `select` and `Popen.communicate` can read the same pipe afterwards.
"""

import errno
import os
import select
import time


def read_some(pipe, size, deadline):
    """Up to `size` bytes; none at the end. Raises TimeoutError at the deadline."""
    seconds = max(deadline - time.monotonic(), 0)
    if not select.select([pipe], [], [], seconds)[0]:
        raise TimeoutError("the pipe has no data")
    return os.read(pipe if isinstance(pipe, int) else pipe.fileno(), size)


def read_line(pipe, seconds=30):
    """The next line with its newline; empty at the end of the pipe."""
    deadline = time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n") and (byte := read_some(pipe, 1, deadline)):
        line += byte
    return line.decode()


def read_lines(pipe, seconds=120):
    """Each line, up to the end of the pipe."""
    deadline = time.monotonic() + seconds
    while line := read_line(pipe, deadline - time.monotonic()):
        yield line


def read_all(pipe, seconds=30):
    """The rest of a pipe, up to its end."""
    deadline = time.monotonic() + seconds
    pieces = []
    while piece := read_some(pipe, 65_536, deadline):
        pieces.append(piece)
    return b"".join(pieces).decode()


def read_terminal(descriptor, seconds=60):
    """The output of a program on its pseudo-terminal, up to its end; closes the descriptor."""
    deadline = time.monotonic() + seconds
    shown = b""
    try:
        while piece := read_some(descriptor, 65_536, deadline):
            shown += piece
    except OSError as error:
        if error.errno != errno.EIO:  # Linux reports a closed terminal so
            raise
    finally:
        os.close(descriptor)
    return shown.decode()
