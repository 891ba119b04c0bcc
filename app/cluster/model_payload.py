"""A saved model as the run sends it to workers, which may run on machines without it."""

import hashlib
import socket
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from app import __version__
from app.cluster import ClusterError
from app.inference.registry import NamedModel
from models.saved_model.storage import MANIFEST, SavedModelError, load_model


@dataclass(frozen=True, slots=True)
class ModelPayload:
    """The files of a saved model, and the versions that workers need to reproduce it."""

    name: str
    sha256: str  # of all files, concatenated
    files: dict[str, bytes] = field(compare=False, repr=False)
    versions: tuple[str, str] = (__version__, np.__version__)  # of this project and NumPy

    @property
    def identity(self) -> str:
        """Name and digest."""
        return f"{self.name}@{self.sha256}"


def pack(directory: Path, model: NamedModel) -> ModelPayload:
    """The files of a model that was loaded from this directory.

    Raises SavedModelError if the directory has changed since.
    """
    try:
        files = {
            name: (directory / name).read_bytes()
            for name in (MANIFEST, f"parameters-{model.saved.sha256}.npz")
        }
    except OSError as error:
        raise SavedModelError(
            f"{directory} must still hold the loaded model: {error.strerror}"
        ) from error
    digest = hashlib.sha256(b"".join(files.values())).hexdigest()
    return ModelPayload(model.name, digest, files)


@lru_cache(maxsize=2)
def unpack(payload: ModelPayload) -> NamedModel:
    """Load and verify the model, once per process.

    Raises SavedModelError if it is damaged, and ClusterError if this worker has other versions
    than the sender and could predict other values.
    """
    installed = __version__, np.__version__
    for package, required, found in zip(
        ("this project", "NumPy"), payload.versions, installed, strict=True
    ):
        if required != found:
            raise ClusterError(
                f"The worker on {socket.gethostname()} must have {package} {required}, got {found}"
            )
    with TemporaryDirectory() as directory:
        for name, content in payload.files.items():
            (Path(directory) / name).write_bytes(content)
        return NamedModel(payload.name, load_model(Path(directory)))
