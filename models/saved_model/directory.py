"""The two files of a saved model on disk, written so that no crash can lose a model.

`parameters-SHA256.npz` is named after its own digest. `model.json` names that digest and is
renamed into place last. Whenever a save is cut off, `model.json` is complete and refers to a
parameters file that is complete.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from models.atomic_file import remove_partial_files, write_atomically
from models.saved_model.errors import SavedModelError
from models.saved_model.manifest import unseal

MANIFEST = "model.json"
PARAMETERS_NAME = re.compile(r"parameters-[0-9a-f]{64}\.npz")
READ_ATTEMPTS = 10


def read_files(directory: Path) -> tuple[dict[str, Any], bytes]:
    """Read the manifest's content and the parameters file that it names.

    A concurrent save may replace both files between the two reads; then the new pair is read.
    Raises OSError, and SavedModelError if the manifest is damaged.
    """
    for attempts_left in reversed(range(READ_ATTEMPTS)):
        content = unseal((directory / MANIFEST).read_bytes())
        digest = content.get("parameters_sha256")
        if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
            raise SavedModelError(f"parameters_sha256 must be 64 hex digits, got {digest!r:.80}")
        try:
            return content, _parameters_path(directory, digest).read_bytes()
        except FileNotFoundError:
            if not attempts_left:
                raise
    raise AssertionError("unreachable")


def write_files(directory: Path, manifest: bytes, digest: str, parameters: bytes) -> None:
    """Write both files and remove those of the previous model. Raises OSError."""
    _create_directory(directory)
    with _locked(directory) as directory_fd:
        parameters_path = _parameters_path(directory, digest)
        for path, content in ((parameters_path, parameters), (directory / MANIFEST, manifest)):
            write_atomically(path, content)
            os.fsync(directory_fd)  # the new name, too, must survive a power failure
        remove_partial_files(directory)
        for path in directory.iterdir():
            if PARAMETERS_NAME.fullmatch(path.name) and path != parameters_path:
                path.unlink()


def _parameters_path(directory: Path, digest: str) -> Path:
    return directory / f"parameters-{digest}.npz"


@contextmanager
def _locked(directory: Path) -> Iterator[int]:
    """Let one process at a time save here; yields the directory's descriptor.

    The operating system releases the lock when the process is killed.
    """
    with _open_directory(directory) as directory_fd:
        fcntl.flock(directory_fd, fcntl.LOCK_EX)
        yield directory_fd


def _create_directory(directory: Path) -> None:
    """Create a directory and its parents, and flush each new entry to disk."""
    if directory.is_dir():
        return
    _create_directory(directory.parent)
    directory.mkdir(exist_ok=True)
    with _open_directory(directory.parent) as parent_fd:
        os.fsync(parent_fd)


@contextmanager
def _open_directory(directory: Path) -> Iterator[int]:
    directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield directory_fd
    finally:
        os.close(directory_fd)
