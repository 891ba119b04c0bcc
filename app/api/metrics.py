"""GET /metrics: the models' test errors as JSON, or everything as Prometheus text."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response

from app.api.dependencies import ModelsDep, StateDep
from app.api.schemas import Metrics, ModelMetrics
from app.http.media_types import JSON
from app.inference.registry import NamedModel
from app.observability.prometheus import expose, wants_prometheus

router = APIRouter(tags=["models"])

EXAMPLE = """\
# HELP housing_predictions_total Predicted rows.
# TYPE housing_predictions_total counter
housing_predictions_total{model="notebook"} 3.0
"""
TEXT = {"schema": {"type": "string"}, "example": EXAMPLE}
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "JSON, or Prometheus text if Accept names one of its types before JSON.",
        "content": {
            JSON: {},  # first: FastAPI adds the schema
            "text/plain": TEXT,
            "application/openmetrics-text": TEXT | {"example": f"{EXAMPLE}# EOF\n"},
        },
        "headers": {"Vary": {"description": "Accept.", "schema": {"type": "string"}}},
    }
}


@router.get(
    "/metrics",
    summary="Test errors and Prometheus metrics",
    response_model=Metrics,
    responses=RESPONSES,
)
async def metrics(
    request: Request, response: Response, models: ModelsDep, state: StateDep
) -> Metrics | Response:
    """The test errors of the default model, and under `models` of each, in 100,000 USD of 1990.

    If Accept names a Prometheus type (`text/plain`, `application/openmetrics-text`) before JSON,
    the response is Prometheus text with these errors and the service's counters.
    """
    response.headers["Vary"] = "Accept"
    accept = ",".join(request.headers.getlist("accept"))
    if wants_prometheus(accept):
        return expose(models, accept, state.in_flight(), ready=not state.draining)
    by_name = {name: model_metrics(model) for name, model in models.by_name.items()}
    return Metrics(**by_name[models.default.name].model_dump(), models=by_name)


def model_metrics(model: NamedModel) -> ModelMetrics:
    """Return the test errors of one model."""
    return ModelMetrics(**asdict(model.saved.card.metrics), model=model.identity)
