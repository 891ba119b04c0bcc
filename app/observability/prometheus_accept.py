"""Who asks /metrics for Prometheus's text: whoever names one of its types in Accept."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from app.http.media_types import JSON

TEXT = "text/plain"
PROTOBUF = "application/vnd.google.protobuf"
PROMETHEUS_TYPES = ("application/openmetrics-text", TEXT, PROTOBUF)

QUALITY = re.compile(r"[0-9]{1,4}(\.[0-9]{0,9})?|\.[0-9]{1,9}")
VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){0,3}")  # what prometheus_client can compare


class MediaRange(NamedTuple):
    """One entry of an Accept header."""

    media_type: str
    quality: float
    parameters: dict[str, str]


def prometheus_accept(headers: Iterable[str]) -> str:
    """What of the Accept headers prometheus_client is to choose from, best first; "" means JSON.

    A wildcard decides nothing: Prometheus sends one too, and so do people's clients, after JSON.
    What is malformed is left out.
    """
    ranges = [_parse(entry) for header in headers for entry in header.split(",")]
    asked = [entry for entry in ranges if entry.media_type in PROMETHEUS_TYPES and entry.quality]
    asked.sort(key=lambda entry: -entry.quality)
    json_quality = max((entry.quality for entry in ranges if entry.media_type == JSON), default=0)
    if not asked or asked[0].quality <= json_quality:
        return ""
    types = [entry.media_type for entry in asked]
    if TEXT in types:  # it can always be had, so what is liked less must not be chosen
        del asked[types.index(TEXT) + 1 :]
    return ",".join(_write(entry) for entry in asked)


def _parse(entry: str) -> MediaRange:
    media_type, *rest = entry.lower().split(";")
    pairs = (parameter.partition("=") for parameter in rest)
    parameters = {name.strip(): value.strip().strip('"') for name, _, value in pairs}
    quality = parameters.pop("q", "1")
    number = min(float(quality), 1.0) if QUALITY.fullmatch(quality) else 1.0
    return MediaRange(media_type.strip(), number, parameters)


def _write(entry: MediaRange) -> str:
    kept = {name: entry.parameters.get(name, "") for name in ("version", "escaping")}
    if not VERSION.fullmatch(kept["version"]):
        del kept["version"]
    return ";".join([entry.media_type, *(f"{name}={value}" for name, value in kept.items())])
