"""The loaded models by name, and how they are loaded and reloaded."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from app.inference.scheduler import AdaptiveBatchSize
from models import DEFAULT_MODELS
from models.saved_model.storage import MANIFEST, SavedModel, SavedModelError, load_model

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MAX_LISTED_NAMES = 10  # keeps an error short


class UnknownModelError(Exception):
    """No model of that name is loaded; the message lists the loaded ones."""


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A saved model under the name of its directory."""

    name: str
    saved: SavedModel
    identity: str = field(init=False)
    """Name and version, for example `notebook@1f2e3d4c`."""
    batch_size: AdaptiveBatchSize = field(
        default_factory=AdaptiveBatchSize, init=False, compare=False, repr=False
    )
    """The slice size for batches without warnings; it stays adapted from batch to batch."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", f"{self.name}@{self.saved.version}")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model and the interval level that a request asks for."""

    model: NamedModel
    level: float


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModels:
    """All models of a directory, and the default that serves requests without a name.

    Immutable: a reload creates another instance, and a request keeps the one it started with.
    """

    by_name: dict[str, NamedModel]
    default: NamedModel

    def get(self, name: str) -> NamedModel:
        """Return the model of that name. Raises UnknownModelError."""
        if name not in self.by_name:
            names = _shorten(self.by_name)
            are_all = len(names) == len(self.by_name)
            required = " or ".join(names) if are_all else f"one of {', '.join(names)}"
            raise UnknownModelError(f"The model must be {required}, got another name.")
        return self.by_name[name]


def load_models(directory: Path, default: str | None) -> LoadedModels:
    """Load and verify every saved model of a directory of model directories.

    If `default` is None, the first of DEFAULT_MODELS that exists is the default. Raises
    SavedModelError if a model is damaged or the default is missing.
    """
    if not directory.is_dir():
        raise SavedModelError(f"{directory} must be a directory of saved models, but it is not one")
    if (directory / MANIFEST).exists():
        raise SavedModelError(
            f"{directory} must be a directory of saved models, got a saved model. "
            "Name its parent directory."
        )
    by_name = {
        path.parent.name: NamedModel(_require_name(path.parent), load_model(path.parent))
        for path in sorted(directory.glob(f"*/{MANIFEST}"))
    }
    return _with_default(by_name, directory, default)


def reload_models(
    loaded: LoadedModels, directory: Path, default: str | None, name: str | None = None
) -> LoadedModels:
    """Load one model again (name None: all) and return the models to serve from now on.

    The other models stay as loaded. Raises SavedModelError if the model to load is damaged, or
    the default is no longer saved.
    """
    try:
        if name is None:
            models = load_models(directory, default)
        else:
            by_name = _load_again(loaded, directory, name)
            models = _with_default(by_name, directory, default)
    except OSError as error:
        raise SavedModelError(f"{directory} must be readable: {error.strerror}") from error
    if loaded.default.name not in models.by_name:
        raise SavedModelError(
            f"{directory} must hold the default model {loaded.default.name}, but it is gone"
        )
    return models


def _load_again(loaded: LoadedModels, directory: Path, name: str) -> dict[str, NamedModel]:
    by_name = {other: model for other, model in loaded.by_name.items() if other != name}
    if NAME.fullmatch(name) and (directory / name / MANIFEST).exists():
        by_name[name] = NamedModel(name, load_model(directory / name))
    return dict(sorted(by_name.items()))


def _with_default(
    by_name: dict[str, NamedModel], directory: Path, default: str | None
) -> LoadedModels:
    expected = DEFAULT_MODELS if default is None else (default,)
    for name in expected:
        if name in by_name:
            return LoadedModels(by_name, by_name[name])
    problem = f"No default model: expected {' or '.join(expected)}, found"
    if not by_name:
        raise SavedModelError(f"{problem} no model in {directory}.")
    found = ", ".join(_shorten(by_name))
    raise SavedModelError(f"{problem} {found}. Choose one with --default {next(iter(by_name))}.")


def _require_name(directory: Path) -> str:
    if not NAME.fullmatch(directory.name):
        raise SavedModelError(
            "a model's directory must be named with up to 64 letters, digits and ._-, "
            f"got {directory.name[:80]!a}"
        )
    return directory.name


def _shorten(names: Collection[str]) -> list[str]:
    shown, hidden = [*names][:MAX_LISTED_NAMES], len(names) - MAX_LISTED_NAMES
    return [*shown, f"and {hidden} more"] if hidden > 0 else shown
