"""GET /models: what is loaded, where it came from and how good it is."""

from fastapi import APIRouter

from app.api.dependencies import ModelsDep
from app.api.metrics import model_metrics
from app.api.schemas import ModelDescription, ModelList
from app.http.etag import RevalidatedRoute
from app.http.openapi_errors import UNKNOWN_MODEL
from app.inference.registry import LoadedModels, NamedModel

router = APIRouter(tags=["models"], route_class=RevalidatedRoute)


@router.get("/models", summary="What is loaded")
async def list_models(models: ModelsDep) -> ModelList:
    """Every model that is loaded."""
    return ModelList(models=[describe(model, models) for model in models.by_name.values()])


@router.get("/models/{name}", summary="One model", responses=UNKNOWN_MODEL)
async def describe_model(name: str, models: ModelsDep) -> ModelDescription:
    """How a model was made, what it was trained on, and how well it does."""
    return describe(models.get(name), models)


def describe(model: NamedModel, models: LoadedModels) -> ModelDescription:
    """What is told of one of the models that are loaded together."""
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
