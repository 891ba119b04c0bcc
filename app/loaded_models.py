"""The models that are served, by name."""

import re
from dataclasses import dataclass
from pathlib import Path

from models import DEFAULT_MODELS
from models.storage import MANIFEST, SavedModel, SavedModelError, load_model

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MOST_NAMES = 10  # of an error's list; keeps it short


class UnknownModelError(Exception):
    """No model of that name is loaded; says which are."""


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A saved model under the name of its directory."""

    name: str
    saved: SavedModel

    @property
    def identity(self) -> str:
        """Name and version, as `notebook@1f2e3d4c`."""
        return f"{self.name}@{self.saved.version}"


@dataclass(frozen=True, slots=True)
class LoadedModels:
    """All models of a directory, one of which answers when none is asked for."""

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
    shown = [*names][:MOST_NAMES]
    if len(names) > MOST_NAMES:
        return f"one of {', '.join(shown)} and {len(names) - MOST_NAMES} more"
    return " or ".join(shown)
