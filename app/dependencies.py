"""What a route asks for: the loaded models, and the one that the query names."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from app.loaded_models import LoadedModels, NamedModel
from models.interval import DEFAULT_LEVEL


class ModelQuery(BaseModel):
    """Which model is to answer."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="A model's name; without it the default answers.")


class IntervalQuery(ModelQuery):
    """Which model is to answer, with which interval."""

    level: float = Field(DEFAULT_LEVEL, description="The interval's level, one of the calibrated.")


async def get_models(request: Request) -> LoadedModels:
    """The models that the app was made with."""
    return cast("LoadedModels", request.app.state.models)


ModelsDep = Annotated[LoadedModels, Depends(get_models)]
"""The models that were loaded at start-up."""


def choose(request: Request, models: LoadedModels, name: str | None) -> NamedModel:
    """The model of a name, or the default; a 422 where a parameter of the query came twice."""
    for parameter in request.query_params:
        if len(request.query_params.getlist(parameter)) > 1:
            raise HTTPException(
                422, f"The query must have `{parameter}` once, however it came again."
            )
    return models.default if name is None else models.get(name)


async def get_chosen_model(
    request: Request, models: ModelsDep, query: Annotated[ModelQuery, Query()]
) -> NamedModel:
    """The model that the query names, or the default."""
    return choose(request, models, query.model)


ChosenModelDep = Annotated[NamedModel, Depends(get_chosen_model)]
"""The model that `?model=NAME` asks for, or the default."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model and the level that a query asks for."""

    model: NamedModel
    level: float


async def get_chosen(
    request: Request, models: ModelsDep, query: Annotated[IntervalQuery, Query()]
) -> Chosen:
    """What the query asks for; a 422 where the chosen model was not calibrated for the level."""
    model = choose(request, models, query.model)
    levels = model.saved.model.interval.levels.tolist()
    if query.level not in levels:
        known = ", ".join(f"{level:g}" for level in levels)
        raise HTTPException(422, f"The level must be one of {known}, however another one came.")
    return Chosen(model, query.level)


ChosenDep = Annotated[Chosen, Depends(get_chosen)]
"""The model that `?model=NAME` asks for and the level that `?level=0.8` does, or the defaults."""
