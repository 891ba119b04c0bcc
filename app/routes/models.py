"""GET /models: what is loaded, where it came from and how good it is."""

from typing import Any

from fastapi import APIRouter

from app.dependencies import ModelsDep
from app.loaded_models import LoadedModels, NamedModel
from app.routes.metrics import model_metrics
from app.schemas import ModelDescription, ModelList, Problem

router = APIRouter(tags=["models"])

REFUSALS: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "No such model."}
}


@router.get("/models", summary="What is loaded")
async def list_models(models: ModelsDep) -> ModelList:
    """Every model that is loaded."""
    return ModelList(models=[_describe(model, models) for model in models.by_name.values()])


@router.get("/models/{name}", summary="One model", responses=REFUSALS)
async def describe_model(name: str, models: ModelsDep) -> ModelDescription:
    """How a model was made, what it was trained on, and how well it does."""
    return _describe(models.get(name), models)


def _describe(model: NamedModel, models: LoadedModels) -> ModelDescription:
    saved = model.saved
    return ModelDescription(
        **saved.card.to_json() | {"metrics": model_metrics(model)},
        **saved.model.training_ranges.to_json(),
        name=model.name,
        version=saved.version,
        default=model is models.default,
        interval_levels=saved.model.interval.levels.tolist(),
        parameters_sha256=saved.sha256,
    )
