"""Find the input files that a path, URL or glob pattern names."""

import json
import re
from dataclasses import dataclass
from glob import has_magic
from pathlib import PurePosixPath
from typing import Any

from fsspec import AbstractFileSystem

from app.cluster import ClusterError
from app.cluster.storage import address_of, resolve_address, storage_errors
from app.inference.files import Format, require_format

MODIFIED_KEYS = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")
DIGEST_KEYS = ("ETag", "etag", "md5Hash", "generation")
"""Keys under which filesystems report a file's modification time and content digest."""


@dataclass(frozen=True, slots=True)
class Source:
    """An input file."""

    address: str  # for fsspec, valid on every machine
    name: str  # path below the fixed part of the pattern
    size: int  # bytes
    fingerprint: str  # changes when the file is rewritten

    @property
    def format(self) -> Format:
        """The format that the suffix names. Raises ScoringError if it names none."""
        return require_format(self.address, PurePosixPath(self.name).suffix)


def find_sources(pattern: str) -> list[Source]:
    """The files that a path, URL or pattern of either names, sorted by path.

    Raises ClusterError if there is none or one is a directory, and ScoringError if one has an
    unknown suffix.
    """
    with storage_errors(pattern):
        filesystem, path = resolve_address(pattern)
        if has_magic(path):
            found = filesystem.glob(path, detail=True)
        else:
            found = {path: filesystem.info(path)}
    if not found:
        raise ClusterError(f"{pattern} must match a file, got no match")
    root = re.split(r"[*?\[]", path, maxsplit=1)[0].rpartition("/")[0]
    return [_source(filesystem, root, path, info) for path, info in sorted(found.items())]


def _source(filesystem: AbstractFileSystem, root: str, path: str, info: dict[str, Any]) -> Source:
    address = address_of(filesystem, path)
    if info["type"] != "file":
        raise ClusterError(f"{address} must be a file, got a directory. Pass {address}/* instead.")
    modified = info.get(next((key for key in MODIFIED_KEYS if key in info), ""))
    digests = [info[key] for key in DIGEST_KEYS if key in info]
    source = Source(
        address,
        path.removeprefix(root).lstrip("/"),
        info["size"],
        json.dumps([info["size"], modified, *digests], default=str),
    )
    require_format(address, PurePosixPath(path).suffix)
    return source
