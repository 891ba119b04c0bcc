"""Files that appear whole or not at all, wherever fsspec writes them."""

import re
from contextlib import suppress
from uuid import uuid4

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci", "r2", "memory"}
"""Filesystems whose put is one step, and whose move is a copy."""
PARTIAL = re.compile(r"\.(.+)\.[0-9a-f]{32}\.partial")


def write_whole(filesystem: AbstractFileSystem, path: str, content: bytes) -> None:
    """Write a file in one step, in place of one that may be there."""
    if OBJECT_STORES.intersection(protocols_of(filesystem)):
        filesystem.pipe_file(path, content)
        return
    directory, _, name = path.rpartition("/")
    partial = f"{directory}/.{name}.{uuid4().hex}.partial"  # another worker may write it, too
    try:
        filesystem.pipe_file(partial, content)
        if not isinstance(filesystem, LocalFileSystem):
            remove(filesystem, path)  # not all of them rename to a name that is taken
        filesystem.mv(partial, path)
    except BaseException:
        remove(filesystem, partial)
        raise


def remove(filesystem: AbstractFileSystem, path: str) -> None:
    """Remove a file that may be there."""
    with suppress(FileNotFoundError):
        filesystem.rm_file(path)


def protocols_of(filesystem: AbstractFileSystem) -> tuple[str, ...]:
    """The names that a filesystem goes by in addresses."""
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
