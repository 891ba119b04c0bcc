"""GET /metrics: the errors on the test part of the data, and what Prometheus wants to know."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response

from app.api.dependencies import ModelsDep
from app.api.schemas import Metrics, ModelMetrics
from app.http.media_types import JSON
from app.inference.registry import NamedModel
from app.observability.prometheus import expose
from app.observability.prometheus_accept import prometheus_accept
from app.state import state_of

router = APIRouter(tags=["models"])

EXAMPLE = """\
# HELP housing_predictions_total Rows that a model answered.
# TYPE housing_predictions_total counter
housing_predictions_total{model="notebook"} 3.0
"""
AS_TEXT = {"schema": {"type": "string"}, "example": EXAMPLE}
FORMATS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "JSON, or to whoever names one of its types in Accept, Prometheus's text.",
        "content": {
            JSON: {},  # first: FastAPI adds the schema
            "text/plain": AS_TEXT,
            "application/openmetrics-text": AS_TEXT | {"example": f"{EXAMPLE}# EOF\n"},
        },
        "headers": {"Vary": {"description": "Accept.", "schema": {"type": "string"}}},
    }
}


@router.get(
    "/metrics",
    summary="The test errors; what Prometheus scrapes",
    response_model=Metrics,
    responses=FORMATS,
)
async def metrics(request: Request, response: Response, models: ModelsDep) -> Metrics | Response:
    """The test errors of the default model, and under `models` of each, in 100,000 USD of 1990.

    Where Accept names a type of Prometheus's (`text/plain`, `application/openmetrics-text`), and
    not JSON before it, these errors and the service's counters come as Prometheus's text.
    """
    response.headers["Vary"] = "Accept"
    accept = prometheus_accept(request.headers.getlist("accept"))
    if accept:
        state = state_of(request.app)
        return expose(models, accept, state.in_flight(), ready=not state.draining)
    each = {name: model_metrics(model) for name, model in models.by_name.items()}
    return Metrics(**each[models.default.name].model_dump(), models=each)


def model_metrics(model: NamedModel) -> ModelMetrics:
    """The errors of one model."""
    return ModelMetrics(**asdict(model.saved.card.metrics), model=model.identity)
