"""Where a fit stands, on disk, so that a killed run can go on."""

import contextlib
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.arrays import FloatArray

SAVED = "*.checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One file for one fit, replaced after each epoch in one step.

    A file that is damaged, or of another run, is as none: the fit starts anew.
    """

    path: Path
    run: str  # what must be equal for a fit to be the same: recipe, seeds, data

    def save(self, arrays: Mapping[str, FloatArray], progress: Mapping[str, Any]) -> None:
        """Write the arrays of a fit, and its progress as JSON types."""
        buffer = io.BytesIO()
        told = json.dumps({"run": self.run, **progress}).encode()
        np.savez(buffer, allow_pickle=False, progress=np.frombuffer(told, dtype=np.uint8), **arrays)
        content = buffer.getvalue()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_bytes(hashlib.sha256(content).digest() + content)
        partial.replace(self.path)

    def load(self) -> tuple[dict[str, FloatArray], dict[str, Any]] | None:
        """What was saved last; None where there is nothing to go on from."""
        try:
            saved = self.path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        digest, content = saved[:32], saved[32:]
        if hashlib.sha256(content).digest() != digest:
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = dict(archive)
        progress = json.loads(arrays.pop("progress").tobytes())
        return (arrays, progress) if progress.pop("run") == self.run else None


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoints of a run, one for each of its fits, in a directory of their own."""

    directory: Path
    run: str

    def of(self, fit: str) -> Checkpoint:
        """The checkpoint of one fit."""
        return Checkpoint(self.directory / f"{fit}.checkpoint", self.run)

    def clear(self) -> None:
        """Forget the run: it is finished, or starts anew."""
        for pattern in (SAVED, "*.partial"):
            for path in self.directory.glob(pattern):
                path.unlink()
        with contextlib.suppress(OSError):  # not there, or somebody else's files are in it
            self.directory.rmdir()


def has_checkpoints(directory: Path) -> bool:
    """Whether a run left something to go on from."""
    return any(directory.glob(SAVED))
