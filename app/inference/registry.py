"""The models that are served, by name."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from app.inference.batch_size import AdaptiveBatchSize
from models import DEFAULT_MODELS
from models.saved_model.storage import MANIFEST, SavedModel, SavedModelError, load_model

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MAX_NAMES = 10  # of an error's list; keeps it short


class UnknownModelError(Exception):
    """No model of that name is loaded; says which are."""


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A saved model under the name of its directory."""

    name: str
    saved: SavedModel
    pace: AdaptiveBatchSize = field(default_factory=AdaptiveBatchSize, compare=False, repr=False)
    """What the batches that it estimated have learned, for those to come."""

    identity: str = field(init=False)
    """Name and version, for example `notebook@1f2e3d4c`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", f"{self.name}@{self.saved.version}")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model and the interval level that a request asks for."""

    model: NamedModel
    level: float


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModels:
    """All models of a directory, one of which answers when none is asked for.

    It is never changed: a reload makes another one, and a request goes on with the one it began
    with.
    """

    by_name: dict[str, NamedModel]
    default: NamedModel

    def get(self, name: str) -> NamedModel:
        """The model of that name; raises UnknownModelError where there is none."""
        if name not in self.by_name:
            raise UnknownModelError(
                f"The model must be {_list(self.by_name)}, however another name came."
            )
        return self.by_name[name]


def load_models(directory: Path, default: str | None) -> LoadedModels:
    """Load and verify every model that is saved in a directory of model directories.

    Where no default is named, it is the champion, or the notebook's model without it.

    Raises SavedModelError where one is damaged or the default is not among them.
    """
    if not directory.is_dir():
        raise SavedModelError(f"{directory} must be a directory of saved models, however it is not")
    if (directory / MANIFEST).exists():
        raise SavedModelError(
            f"{directory} must be a directory of saved models, however it is one itself; "
            "name the directory above it"
        )
    by_name = {
        path.parent.name: NamedModel(_name(path.parent), load_model(path.parent))
        for path in sorted(directory.glob(f"*/{MANIFEST}"))
    }
    return _with_default(by_name, directory, default)


def reload_models(
    loaded: LoadedModels, directory: Path, default: str | None, name: str | None = None
) -> LoadedModels:
    """What a directory holds now: all of it, or, of one name, only that and the rest as it was.

    Raises SavedModelError where a model that is read is damaged, or the default one has gone.
    """
    try:
        if name is None:
            models = load_models(directory, default)
        else:
            models = _with_default(
                _with_one_read_again(loaded, directory, name), directory, default
            )
    except OSError as error:
        raise SavedModelError(f"{directory} must be readable, however: {error.strerror}") from error
    if loaded.default.name not in models.by_name:
        raise SavedModelError(
            f"{directory} must hold the default model {loaded.default.name}, however it has gone"
        )
    return models


def _with_one_read_again(loaded: LoadedModels, directory: Path, name: str) -> dict[str, NamedModel]:
    by_name = {other: model for other, model in loaded.by_name.items() if other != name}
    if NAME.fullmatch(name) and (directory / name / MANIFEST).exists():
        by_name[name] = NamedModel(name, load_model(directory / name))
    return dict(sorted(by_name.items()))


def _with_default(
    by_name: dict[str, NamedModel], directory: Path, default: str | None
) -> LoadedModels:
    wanted = DEFAULT_MODELS if default is None else (default,)
    for name in wanted:
        if name in by_name:
            return LoadedModels(by_name, by_name[name])
    raise SavedModelError(
        f"{directory} must hold the default model {' or '.join(wanted)}, however the models there "
        f"are: {_list(by_name) if by_name else 'none'}"
    )


def _name(directory: Path) -> str:
    if not NAME.fullmatch(directory.name):
        raise SavedModelError(
            f"a model's directory must be named with up to 64 letters, digits and ._-, "
            f"however: {directory.name[:80]!a}"
        )
    return directory.name


def _list(names: dict[str, NamedModel]) -> str:
    shown = [*names][:MAX_NAMES]
    if len(names) > MAX_NAMES:
        return f"one of {', '.join(shown)} and {len(names) - MAX_NAMES} more"
    return " or ".join(shown)
