"""GET /models: what is loaded, where it came from and how good it is."""

from typing import Any

from fastapi import APIRouter

from app.loaded_models import LoadedModels, ModelsDep, NamedModel
from app.routes.metrics import model_metrics
from app.schemas import FeatureRange, ModelDescription, ModelList, Problem
from models.features import FEATURES, TARGET_NAME, TARGET_UNIT

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
    ranges = saved.model.training_ranges
    return ModelDescription(
        **saved.card.to_json() | {"metrics": model_metrics(model)},
        name=model.name,
        version=saved.version,
        default=model is models.default,
        features=[
            FeatureRange(name=feature.name, unit=feature.unit, minimum=low, maximum=high)
            for feature, low, high in zip(
                FEATURES, ranges.feature_minimum, ranges.feature_maximum, strict=True
            )
        ],
        target=FeatureRange(
            name=TARGET_NAME,
            unit=TARGET_UNIT,
            minimum=ranges.target_minimum,
            maximum=ranges.target_maximum,
        ),
        interval_level=saved.model.interval.level,
        parameters_sha256=saved.sha256,
    )
