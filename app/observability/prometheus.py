"""/metrics as Prometheus text: the counters, and gauges about the models loaded now."""

import os
import platform
import re
from collections.abc import Iterator

import numpy as np
from fastapi import Response
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from app import __version__
from app.http.media_types import JSON
from app.inference.registry import LoadedModels, NamedModel
from app.observability.metrics import model_series, registry
from app.observability.prometheus_multiprocess import DIR_VARIABLE
from models.features import TARGET_UNIT

PROMETHEUS_TYPES = (
    "application/openmetrics-text",
    "text/plain",
    "application/vnd.google.protobuf",  # never sent: a Prometheus that asks for it accepts text too
)
MALFORMED_VERSION = re.compile(r"version=(?![0-9]{1,4}(?:\.[0-9]{1,4}){0,3}\s*(?:[;,]|$))[^;,]*")
"""A version on which prometheus_client fails: other than up to four numbers."""


def wants_prometheus(accept: str) -> bool:
    """Return whether an Accept header names a Prometheus type before JSON.

    Quality values are ignored, because scrapers list their types best first. Wildcards are
    ignored, because both scrapers and other clients send them.
    """
    for entry in accept.split(","):
        media_type = entry.partition(";")[0].strip().lower()
        if media_type in (JSON, *PROMETHEUS_TYPES):
            return media_type != JSON
    return False


def expose(models: LoadedModels, accept: str, in_flight: int, *, ready: bool) -> Response:
    """Return all series in the first text format that an Accept header names."""
    accept = MALFORMED_VERSION.sub("", accept.lower().replace('"', ""))
    encode, content_type = choose_encoder(accept)
    collector = ServiceCollector(models, in_flight, ready=ready)
    return Response(encode(collector), headers={"Content-Type": content_type, "Vary": "Accept"})


class ServiceCollector(Collector):
    """Every series of the service: counters summed over all workers, gauges of this worker."""

    def __init__(self, models: LoadedModels, in_flight: int, *, ready: bool) -> None:
        self.models = models
        self.in_flight = in_flight
        self.ready = ready

    def collect(self) -> Iterator[Metric]:
        """Yield each metric once."""
        for name in self.models.by_name:
            model_series(name)  # so that the series of an unused model is 0, not missing
        yield from _counters().collect()
        yield from _test_errors(self.models)
        yield _model_info(self.models)
        yield _build_info()
        yield GaugeMetricFamily(
            "housing_http_requests_in_flight",
            "HTTP requests that are received and not yet answered, including this one.",
            self.in_flight,
        )
        yield GaugeMetricFamily(
            "housing_ready", "1 when ready for requests, 0 when shutting down.", self.ready
        )


def _counters() -> Collector:
    """Return this process's counters, or the sums over all workers if they are shared."""
    if DIR_VARIABLE not in os.environ:
        return registry
    shared: Collector = MultiProcessCollector(None)  # type: ignore[no-untyped-call]
    return shared


def _test_errors(models: LoadedModels) -> Iterator[Metric]:
    for error, description, unit in (
        ("mae", "Mean absolute error", TARGET_UNIT),
        ("rmse", "Root mean squared error", TARGET_UNIT),
        ("mse", "Mean squared error", f"the square of {TARGET_UNIT}"),
    ):
        family = GaugeMetricFamily(
            f"housing_model_test_{error}",
            f"{description} on the test part of the data, in {unit}.",
            labels=["model"],
        )
        for model in models.by_name.values():
            family.add_metric([model.name], getattr(model.saved.card.metrics, error))
        yield family


def _model_info(models: LoadedModels) -> Metric:
    family = InfoMetricFamily("housing_model", "The loaded models.", labels=["model"])
    for model in models.by_name.values():
        family.add_metric([model.name], _labels(model, models))
    return family


def _labels(model: NamedModel, models: LoadedModels) -> dict[str, str]:
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
    return InfoMetricFamily("housing_build", "The versions of the running service.", versions)
