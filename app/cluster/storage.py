"""Local and remote files by their fsspec addresses, and atomic writes to them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from app.cluster import ClusterError
from models.atomic_file import open_atomically

OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci", "r2", "memory"}
"""Protocols whose upload is atomic. Their move is not: it copies, then deletes."""
PARTIAL_FILE = re.compile(r"\..+\.partial")
"""Names of files that a killed worker leaves behind."""


def resolve_address(address: str) -> tuple[AbstractFileSystem, str]:
    """The filesystem of a path or URL, and the path on that filesystem."""
    filesystem, path = url_to_fs(address)
    return filesystem, path


def address_of(filesystem: AbstractFileSystem, path: str) -> str:
    """The address that leads to a path from every machine. A local path is its own address."""
    if isinstance(filesystem, LocalFileSystem):
        return path
    address: str = filesystem.unstrip_protocol(path)
    return address


@contextmanager
def storage_errors(address: str) -> Iterator[None]:
    """Turn what a filesystem raises into a ClusterError that names the address."""
    try:
        yield
    except (OSError, ImportError, ValueError) as error:  # plug-ins raise all three
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ClusterError(f"{address} must be accessible: {reason}") from error


def write_atomically(filesystem: AbstractFileSystem, path: str, content: bytes) -> None:
    """Write a file in one step, replacing an existing one."""
    if isinstance(filesystem, LocalFileSystem):
        with open_atomically(Path(path)) as file:
            file.write(content)
    elif OBJECT_STORES.intersection(_protocols(filesystem)):
        filesystem.pipe_file(path, content)
    else:
        _write_and_move(filesystem, path, content)


def _write_and_move(filesystem: AbstractFileSystem, path: str, content: bytes) -> None:
    directory, _, name = path.rpartition("/")
    partial = f"{directory}/.{name}.{uuid4().hex}.partial"  # unique: two workers may write it
    try:
        filesystem.pipe_file(partial, content)
        remove(filesystem, path)  # not every filesystem renames onto an existing file
        filesystem.mv(partial, path)
    except BaseException:
        remove(filesystem, partial)
        raise


def remove(filesystem: AbstractFileSystem, path: str) -> None:
    """Remove a file if it exists."""
    with suppress(FileNotFoundError):
        filesystem.rm_file(path)


def _protocols(filesystem: AbstractFileSystem) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
