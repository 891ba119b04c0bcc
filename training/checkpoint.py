"""The state of a fit on disk, so that a killed run can resume."""

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
from models.atomic_file import remove_partial_files, write_atomically

PATTERN = "*.checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One file for one fit, replaced atomically after each epoch.

    A file that is damaged, or of another run or format, is ignored: the fit starts over.
    """

    path: Path
    run_id: str  # equal for equal recipes, seeds and data

    def save(self, arrays: Mapping[str, FloatArray], progress: Mapping[str, Any]) -> None:
        """Save the arrays of a fit, and its progress as JSON types."""
        buffer = io.BytesIO()
        text = json.dumps({"run_id": self.run_id, **progress}).encode()
        np.savez(buffer, allow_pickle=False, progress=np.frombuffer(text, dtype=np.uint8), **arrays)
        content = buffer.getvalue()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, hashlib.sha256(content).digest() + content)

    def load(self) -> tuple[dict[str, FloatArray], dict[str, Any]] | None:
        """Return what was saved last, or None if there is nothing to resume."""
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
        return (arrays, progress) if progress.pop("run_id", None) == self.run_id else None


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoints of a run, one for each of its fits, in their own directory."""

    directory: Path
    run_id: str

    def for_fit(self, name: str) -> Checkpoint:
        """Return the checkpoint of one fit."""
        return Checkpoint(self.directory / f"{name}.checkpoint", self.run_id)

    def clear(self) -> None:
        """Remove all checkpoints, when the run has finished or starts over."""
        for path in self.directory.glob(PATTERN):
            path.unlink()
        remove_partial_files(self.directory)
        with contextlib.suppress(OSError):  # absent, or it holds files that are not ours
            self.directory.rmdir()


def has_checkpoints(directory: Path) -> bool:
    """Return whether a run left checkpoints to resume from."""
    return any(directory.glob(PATTERN))
