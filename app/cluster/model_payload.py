"""A saved model as it is sent to workers, which may be on machines that do not have it."""

import hashlib
import socket
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from app import __version__
from app.cluster.errors import ClusterError
from app.inference.registry import NamedModel
from models.saved_model.storage import MANIFEST, SavedModelError, load_model


@dataclass(frozen=True, slots=True)
class ModelPayload:
    """The files of a saved model, and what they have to be read by."""

    name: str
    sha256: str  # of all files
    files: dict[str, bytes] = field(compare=False, repr=False)
    versions: tuple[str, str] = (__version__, np.__version__)  # of the sender: app, NumPy

    @property
    def identity(self) -> str:
        """Name and digest."""
        return f"{self.name}@{self.sha256}"


def pack(directory: Path, model: NamedModel) -> ModelPayload:
    """The files of a model that was loaded from a directory.

    Raises SavedModelError where another one has been saved there since.
    """
    try:
        files = {
            name: (directory / name).read_bytes()
            for name in (MANIFEST, f"parameters-{model.saved.sha256}.npz")
        }
    except OSError as error:
        raise SavedModelError(
            f"{directory} must hold the model that was loaded, however: {error.strerror}"
        ) from error
    digest = hashlib.sha256(b"".join(files.values())).hexdigest()
    return ModelPayload(model.name, digest, files)


@lru_cache(maxsize=2)
def unpack(sent: ModelPayload) -> NamedModel:
    """The model, after every check that is made of a saved one; once in a process.

    Raises SavedModelError where it is damaged, ClusterError where this machine would answer
    otherwise than the one that sent it.
    """
    here = __version__, np.__version__
    for library, wanted, found in zip(("this project", "NumPy"), sent.versions, here, strict=True):
        if wanted != found:
            raise ClusterError(
                f"the worker on {socket.gethostname()} must have {library} {wanted}, "
                f"however: {found}"
            )
    with TemporaryDirectory() as directory:
        for name, content in sent.files.items():
            (Path(directory) / name).write_bytes(content)
        return NamedModel(sent.name, load_model(Path(directory)))
