"""Atomic file writes: a reader sees the old content or the new, never a part of it."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

PARTIAL_NAME = re.compile(r"\.housing\.[0-9a-f]{32}\.partial")


@contextmanager
def open_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write; it replaces the one at `path` when the block ends without an error.

    The content is written under a temporary name in the same directory, flushed to disk, and then
    renamed. A symbolic link is followed and an existing file's mode is kept. A device or pipe is
    written directly. Of several concurrent writers, the last to finish wins. Raises OSError.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        with target.open("wb") as device:
            yield device
        return
    # Unique for each writer, and short: the target's own name may have 255 bytes already.
    partial = target.with_name(f".housing.{uuid4().hex}.partial")
    try:
        with partial.open("xb") as file:  # O_EXCL: opens no existing file, follows no link
            _copy_mode(target, file)
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:  # also KeyboardInterrupt and SystemExit
        partial.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file at `path` in one step. Raises OSError."""
    with open_atomically(path) as file:
        file.write(content)


def remove_partial_files(directory: Path) -> None:
    """Remove the temporary files of killed processes; no other process may be writing there."""
    for path in directory.glob(".housing.*"):
        if PARTIAL_NAME.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _copy_mode(target: Path, file: BinaryIO) -> None:
    if target.exists():
        os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
