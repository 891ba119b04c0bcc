"""GET /metrics: the errors on the test part of the data."""

from dataclasses import asdict

from fastapi import APIRouter

from app.dependencies import ModelsDep
from app.loaded_models import NamedModel
from app.schemas import Metrics, ModelMetrics

router = APIRouter(tags=["models"])


@router.get("/metrics", summary="The test errors")
async def metrics(models: ModelsDep) -> Metrics:
    """The test errors of the default model, and under `models` of each, in 100,000 USD of 1990."""
    each = {name: model_metrics(model) for name, model in models.by_name.items()}
    return Metrics(**each[models.default.name].model_dump(), models=each)


def model_metrics(model: NamedModel) -> ModelMetrics:
    """The errors of one model."""
    return ModelMetrics(**asdict(model.saved.card.metrics), model=model.identity)
