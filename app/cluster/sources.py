"""The files that a pattern names, wherever fsspec finds them."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import has_magic
from pathlib import PurePosixPath
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from app.cluster.errors import ClusterError
from app.inference.files import source_by_suffix

TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")
"""When a file was written, by the names of several filesystems."""
DIGESTS = ("ETag", "etag", "md5Hash", "generation")


@dataclass(frozen=True, slots=True)
class Source:
    """A file of rows."""

    address: str  # for fsspec, the same on every machine
    name: str  # of the file below the pattern's first directory
    size: int  # bytes
    fingerprint: str  # other after the file was written again

    @property
    def suffix(self) -> str:
        """What the format is known by, in lower case."""
        return PurePosixPath(self.name).suffix.lower()


def sources_of(pattern: str) -> list[Source]:
    """The files that a path, an address or a pattern of either names, by name.

    Raises ClusterError where there is none, or one of them cannot be read.
    """
    with reachable(pattern):
        filesystem, path = filesystem_of(pattern)
        if has_magic(path):
            found = filesystem.glob(path, detail=True)
        else:
            found = {path: filesystem.info(path)}
    if not found:
        raise ClusterError(f"{pattern} must match a file, however it matches none")
    fixed = re.split(r"[*?\[]", path, maxsplit=1)[0].rpartition("/")[0]
    return [_source(filesystem, fixed, path, info) for path, info in sorted(found.items())]


def filesystem_of(address: str) -> tuple[AbstractFileSystem, str]:
    """Where an address leads: a filesystem, and the path there."""
    filesystem, path = url_to_fs(address)
    return filesystem, path


def address_of(filesystem: AbstractFileSystem, path: str) -> str:
    """The address of a path; a local one is its own."""
    if isinstance(filesystem, LocalFileSystem):
        return path
    address: str = filesystem.unstrip_protocol(path)
    return address


@contextmanager
def reachable(address: str) -> Iterator[None]:
    """What a filesystem raises meanwhile becomes a ClusterError that names the address."""
    try:
        yield
    except (OSError, ImportError, ValueError) as error:  # a plug-in that fails, or is missing
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ClusterError(f"{address} must be within reach, however: {reason}") from error


def _source(filesystem: AbstractFileSystem, fixed: str, path: str, info: dict[str, Any]) -> Source:
    address = address_of(filesystem, path)
    if info["type"] != "file":
        raise ClusterError(f"{address} must be a file, however it is a directory; name {address}/*")
    changes = [info.get(next((name for name in TIMES if name in info), ""))]
    changes += [info[name] for name in DIGESTS if name in info]
    source = Source(
        address,
        path.removeprefix(fixed).lstrip("/"),
        info["size"],
        json.dumps([info["size"], *changes], default=str),
    )
    if source.suffix not in source_by_suffix:
        suffixes = ", ".join(f"*{suffix}" for suffix in source_by_suffix)
        raise ClusterError(f"{address} must be named {suffixes}, however it is not")
    return source
