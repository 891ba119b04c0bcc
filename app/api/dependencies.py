"""What a route asks for: the loaded models, and the one that the query names."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from app.http.openapi_errors import SHUTTING_DOWN_SENTENCE
from app.http.problems import RETRY_LATER
from app.inference.registry import Chosen, LoadedModels, NamedModel
from app.state import state_of
from models.interval import DEFAULT_LEVEL


class ModelQuery(BaseModel):
    """Which model is to answer."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="A model's name; without it the default answers.")


class IntervalQuery(ModelQuery):
    """Which model is to answer, with which interval."""

    level: float = Field(DEFAULT_LEVEL, description="The interval's level, one of the calibrated.")


async def get_models(request: Request) -> LoadedModels:
    """The models that are loaded at this moment."""
    return state_of(request.app).models


async def require_ready(request: Request) -> None:
    """A 503 while the service is shutting down."""
    if state_of(request.app).draining:
        raise HTTPException(
            503,
            SHUTTING_DOWN_SENTENCE,
            headers=RETRY_LATER,
        )


ModelsDep = Annotated[LoadedModels, Depends(get_models)]
"""The models that were loaded when the request came; a reload does not change them under it."""


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


def choose_level(request: Request, models: LoadedModels, query: IntervalQuery) -> Chosen:
    """What a query asks for; a 422 where the chosen model was not calibrated for the level."""
    model = choose(request, models, query.model)
    levels = model.saved.model.interval.levels.tolist()
    if query.level not in levels:
        known = ", ".join(f"{level:g}" for level in levels)
        raise HTTPException(422, f"The level must be one of {known}, however another one came.")
    return Chosen(model, query.level)


async def get_chosen(
    request: Request, models: ModelsDep, query: Annotated[IntervalQuery, Query()]
) -> Chosen:
    """What the query of one row asks for."""
    return choose_level(request, models, query)


ChosenDep = Annotated[Chosen, Depends(get_chosen)]
"""The model that `?model=NAME` asks for and the level that `?level=0.8` does, or the defaults."""


class BatchQuery(IntervalQuery):
    """Which model is to answer, with which interval, and how errors are told."""

    errors: bool = Field(
        default=False,
        description="CSV: whether to add the column `error`, empty where all is well.",
    )


@dataclass(frozen=True, slots=True)
class BatchChosen(Chosen):
    """The model and the level for all rows, and whether a CSV is to have a column of errors."""

    errors: bool


async def get_batch_chosen(
    request: Request, models: ModelsDep, query: Annotated[BatchQuery, Query()]
) -> BatchChosen:
    """What the query of a batch asks for."""
    chosen = choose_level(request, models, query)
    return BatchChosen(chosen.model, chosen.level, query.errors)


BatchChosenDep = Annotated[BatchChosen, Depends(get_batch_chosen)]
"""As ChosenDep, for a batch."""
