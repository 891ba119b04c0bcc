"""GET /models: the loaded models, how they were trained, and their errors."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.api.dependencies import UNKNOWN_MODEL, ModelsDep
from app.api.metrics import model_metrics
from app.api.schemas import ModelDescription, ModelList
from app.http.etag import revalidated
from app.http.media_types import JSON
from app.inference.registry import LoadedModels, NamedModel

router = APIRouter(tags=["models"])


@router.get("/models", summary="All models", response_model=ModelList)
async def list_models(request: Request, models: ModelsDep) -> Response:
    """Every loaded model."""
    described = [describe(model, models) for model in models.by_name.values()]
    return revalidated(request, _json(ModelList(models=described)))


@router.get(
    "/models/{name}",
    summary="One model",
    response_model=ModelDescription,
    responses=UNKNOWN_MODEL,
)
async def describe_model(request: Request, name: str, models: ModelsDep) -> Response:
    """How a model was trained, on which data, and its errors."""
    return revalidated(request, _json(describe(models.get(name), models)))


def describe(model: NamedModel, models: LoadedModels) -> ModelDescription:
    """Return the description of one of the loaded models."""
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


def _json(content: BaseModel) -> Response:
    return Response(content.model_dump_json(), media_type=JSON)
