"""The models that are served, by name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from models.storage import MANIFEST, SavedModel, SavedModelError, load_model


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
        """The model of that name; raises a 404 that lists the names there are."""
        if name not in self.by_name:
            raise HTTPException(
                404,
                f"The model must be one of {', '.join(self.by_name)}, however another name came.",
            )
        return self.by_name[name]


def load_models(directory: Path, default: str) -> LoadedModels:
    """Load and verify every model that is saved in a directory of model directories.

    Raises SavedModelError where one is damaged or the default is not among them.
    """
    by_name = {
        path.parent.name: NamedModel(path.parent.name, load_model(path.parent))
        for path in sorted(directory.glob(f"*/{MANIFEST}"))
    }
    if default not in by_name:
        found = ", ".join(by_name) or "none"
        raise SavedModelError(
            f"{directory} must hold the default model {default!r}, however the models there are: "
            f"{found} (train one with: python -m training RECIPE)"
        )
    return LoadedModels(by_name, by_name[default])


async def get_models(request: Request) -> LoadedModels:
    """The models that the app was made with."""
    return cast("LoadedModels", request.app.state.models)


ModelsDep = Annotated[LoadedModels, Depends(get_models)]
"""The models that were loaded at start-up."""


class ModelQuery(BaseModel):
    """Which model is to answer."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="A model's name; without it the default answers.")


async def get_chosen_model(models: ModelsDep, query: Annotated[ModelQuery, Query()]) -> NamedModel:
    """The model that the query names, or the default."""
    return models.default if query.model is None else models.get(query.model)


ChosenModelDep = Annotated[NamedModel, Depends(get_chosen_model)]
"""The model that `?model=NAME` asks for, or the default."""
