"""What a route asks for: the loaded models, and the one that the query names."""

from typing import Annotated, cast

from fastapi import Depends, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from app.loaded_models import LoadedModels, NamedModel


class ModelQuery(BaseModel):
    """Which model is to answer."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="A model's name; without it the default answers.")


async def get_models(request: Request) -> LoadedModels:
    """The models that the app was made with."""
    return cast("LoadedModels", request.app.state.models)


ModelsDep = Annotated[LoadedModels, Depends(get_models)]
"""The models that were loaded at start-up."""


async def get_chosen_model(
    request: Request, models: ModelsDep, query: Annotated[ModelQuery, Query()]
) -> NamedModel:
    """The model that the query names, or the default."""
    if len(request.query_params.getlist("model")) > 1:
        raise HTTPException(422, "The query must have `model` once, however it came repeatedly.")
    return models.default if query.model is None else models.get(query.model)


ChosenModelDep = Annotated[NamedModel, Depends(get_chosen_model)]
"""The model that `?model=NAME` asks for, or the default."""
