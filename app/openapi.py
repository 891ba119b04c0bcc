"""/openapi.json: what FastAPI derives from the routes, with what only the loaded models know."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.answer import answer
from app.errors import MEDIA_TYPE
from app.loaded_models import LoadedModels
from models.features import FEATURE_NAMES


def build_openapi(app: FastAPI, models: LoadedModels) -> dict[str, Any]:
    """The OpenAPI document of an app that serves these models."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    _tell_errors_as_problems(document)
    _tell_training_ranges(document, models)
    _tell_examples(document, models)
    return document


def _tell_errors_as_problems(document: dict[str, Any]) -> None:
    """Errors are problem+json; and a path parameter that is any text cannot be refused with 422."""
    for path in document["paths"].values():
        for operation in path.values():
            responses = operation["responses"]
            if "HTTPValidationError" in str(responses.get("422")):
                del responses["422"]
            for response in responses.values():
                content = response.get("content", {})
                if "Problem" in str(content):
                    content[MEDIA_TYPE] = content.pop("application/json")
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)


def _tell_training_ranges(document: dict[str, Any], models: LoadedModels) -> None:
    """A number outside of the default model's range is answered, with a warning."""
    properties = document["components"]["schemas"]["HouseFeatures"]["properties"]
    for feature, low, high in models.default.saved.model.training_ranges.by_feature():
        field = properties[feature.name]
        field["x-training-range"] = [low, high]
        field["description"] += f" Training range: {low:.6g} to {high:.6g}."


def _tell_examples(document: dict[str, Any], models: LoadedModels) -> None:
    """The first golden row with its true answer, and the default model's name."""
    row = models.default.saved.golden_rows[0]
    for path in ("/predict", "/explain"):
        request = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        request["example"] = dict(zip(FEATURE_NAMES, row.tolist(), strict=True))
    operation = document["paths"]["/predict"]["post"]
    response = operation["responses"]["200"]["content"]["application/json"]
    response["example"] = answer(row, models.default).model_dump()
    (name,) = document["paths"]["/models/{name}"]["get"]["parameters"]
    name["example"] = models.default.name
