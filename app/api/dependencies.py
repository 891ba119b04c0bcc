"""Dependencies of the routes: the state, the models, the chosen model and level, a row's body."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from app.http.bodies import read_body, require_media_type
from app.http.media_types import JSON
from app.http.openapi_errors import error_docs
from app.inference.registry import Chosen, LoadedModels, NamedModel
from app.state import AppState, ShuttingDownError
from models.interval import DEFAULT_LEVEL

MAX_ROW_BYTES = 64 * 1024  # a row has about 150
ROW_TOO_LARGE = f"The body must have at most {MAX_ROW_BYTES:,} bytes, got more."

UNKNOWN_MODEL = error_docs(
    404, "No such model.", "The model must be champion or notebook, got another name."
)
"""Documents the response to UnknownModelError."""


class ModelQuery(BaseModel):
    """The model to predict with."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="A model's name; the default model if absent.")


class IntervalQuery(ModelQuery):
    """The model to predict with, and the interval's level."""

    level: float = Field(DEFAULT_LEVEL, description="The interval's level, a calibrated one.")


class BatchQuery(IntervalQuery):
    """The model, the intervals' level, and how errors are reported."""

    errors: bool = Field(
        default=False,
        description="CSV: whether to add the column `error`, empty for accepted rows.",
    )


async def get_state(request: Request) -> AppState:
    """Return the app's state."""
    state: AppState = request.app.state
    return state


StateDep = Annotated[AppState, Depends(get_state)]


async def get_models(request: Request) -> LoadedModels:
    """Return the models that are loaded now; a reload does not change them during the request."""
    models: LoadedModels = request.app.state.models
    return models


ModelsDep = Annotated[LoadedModels, Depends(get_models)]


async def require_ready(state: StateDep) -> None:
    """Raise ShuttingDownError while the service is shutting down."""
    if state.draining:
        raise ShuttingDownError


def _choose_model(request: Request, models: LoadedModels, name: str | None) -> NamedModel:
    """Return the model with that name, or the default.

    Raises UnknownModelError, and HTTPException 422 when a query parameter is repeated.
    """
    for parameter in request.query_params:
        count = len(request.query_params.getlist(parameter))
        if count > 1:
            raise HTTPException(
                422, f"The query must have `{parameter}` at most once, got it {count} times."
            )
    return models.default if name is None else models.get(name)


def _choose(request: Request, models: LoadedModels, query: IntervalQuery) -> Chosen:
    """Return the chosen model and level; raises HTTPException 422 at an uncalibrated level."""
    model = _choose_model(request, models, query.model)
    levels = model.saved.model.interval.levels.tolist()
    if query.level not in levels:
        known = ", ".join(f"{level:g}" for level in levels)
        raise HTTPException(422, f"The level must be one of {known}, got another number.")
    return Chosen(model, query.level)


async def get_chosen_model(
    request: Request, models: ModelsDep, query: Annotated[ModelQuery, Query()]
) -> NamedModel:
    """Return the model that `?model=NAME` names, or the default."""
    return _choose_model(request, models, query.model)


ChosenModelDep = Annotated[NamedModel, Depends(get_chosen_model)]


async def get_chosen(
    request: Request, models: ModelsDep, query: Annotated[IntervalQuery, Query()]
) -> Chosen:
    """Return the model and the level of `?model=NAME&level=0.8`, or the defaults."""
    return _choose(request, models, query)


ChosenDep = Annotated[Chosen, Depends(get_chosen)]


@dataclass(frozen=True, slots=True)
class BatchChosen(Chosen):
    """The model and the level for all rows, and whether a CSV response has a column of errors."""

    errors: bool


async def get_batch_chosen(
    request: Request, models: ModelsDep, query: Annotated[BatchQuery, Query()]
) -> BatchChosen:
    """Return what the query of `POST /predict/batch` chooses, or the defaults."""
    chosen = _choose(request, models, query)
    return BatchChosen(chosen.model, chosen.level, query.errors)


BatchChosenDep = Annotated[BatchChosen, Depends(get_batch_chosen)]


async def get_row_body(request: Request) -> bytes:
    """Return the JSON body of one row, not yet parsed.

    Raises HTTPException: 415 when it is not plain JSON, 413 when it is too large.
    """
    require_media_type(request.headers, JSON)
    return await read_body(request, MAX_ROW_BYTES, ROW_TOO_LARGE)


RowBodyDep = Annotated[bytes, Depends(get_row_body)]
"""Declare it before the chosen model: a wrong media type is reported before an unknown model."""

ROW_BODY_DOCS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {JSON: {"schema": {"$ref": "#/components/schemas/HouseFeatures"}}},
    }
}
