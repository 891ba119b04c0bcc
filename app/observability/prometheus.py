"""/metrics as Prometheus reads it: what was counted, and the models that are loaded now."""

import os
import platform
from collections.abc import Iterator

import numpy as np
from fastapi import Response
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from app import __version__
from app.inference.registry import LoadedModels, NamedModel
from app.observability.metrics import model_series, registry
from app.observability.prometheus_multiprocess import VARIABLE
from models.features import TARGET_UNIT


class ServiceCollector(Collector):
    """All series of a service: the counts of every worker, the rest as this worker knows it."""

    def __init__(self, models: LoadedModels, in_flight: int, *, ready: bool) -> None:
        self.models = models
        self.in_flight = in_flight
        self.ready = ready

    def collect(self) -> Iterator[Metric]:
        """Each series, once."""
        for name in self.models.by_name:
            model_series(name)  # at 0 until the model is asked
        yield from _counts().collect()
        yield from _test_errors(self.models)
        yield _model_info(self.models)
        yield _build_info()
        yield GaugeMetricFamily(
            "housing_http_requests_in_flight",
            "HTTP requests that have come and are not yet answered, this one among them.",
            self.in_flight,
        )
        yield GaugeMetricFamily(
            "housing_ready", "1 while requests should be sent, 0 while it shuts down.", self.ready
        )


def expose(models: LoadedModels, accept: str, in_flight: int, *, ready: bool) -> Response:
    """All series in the best text format that an Accept header names."""
    encode, content_type = choose_encoder(accept)
    collector = ServiceCollector(models, in_flight, ready=ready)
    return Response(encode(collector), headers={"Content-Type": content_type, "Vary": "Accept"})


def _counts() -> Collector:
    """This process's counts, or the sum of those that are shared."""
    if VARIABLE not in os.environ:
        return registry
    shared: Collector = MultiProcessCollector(None)  # type: ignore[no-untyped-call]
    return shared


def _test_errors(models: LoadedModels) -> Iterator[Metric]:
    for error, words, unit in (
        ("mae", "Mean absolute error", TARGET_UNIT),
        ("rmse", "Root mean squared error", TARGET_UNIT),
        ("mse", "Mean squared error", f"the square of {TARGET_UNIT}"),
    ):
        family = GaugeMetricFamily(
            f"housing_model_test_{error}",
            f"{words} on the test part of the data, in {unit}.",
            labels=["model"],
        )
        for model in models.by_name.values():
            family.add_metric([model.name], getattr(model.saved.card.metrics, error))
        yield family


def _model_info(models: LoadedModels) -> Metric:
    family = InfoMetricFamily("housing_model", "The models that are loaded.", labels=["model"])
    for model in models.by_name.values():
        family.add_metric([model.name], _describe(model, models))
    return family


def _describe(model: NamedModel, models: LoadedModels) -> dict[str, str]:
    return {
        "version": model.saved.version,
        "recipe": model.saved.card.recipe,
        "default": "true" if model is models.default else "false",
    }


def _build_info() -> Metric:
    versions = {
        "version": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    return InfoMetricFamily("housing_build", "The versions that serve.", versions)
