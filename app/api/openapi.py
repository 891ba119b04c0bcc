"""/openapi.json: FastAPI's document, with training ranges and examples from the loaded models."""

import json
from typing import Any

import numpy as np
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from pydantic_core import from_json

from app.api.schemas import HouseColumns, PredictedColumns, RefusedRow
from app.api.v2 import inference
from app.api.v2.schemas import InferenceRequest
from app.http.headers import MODEL_HEADER
from app.http.media_types import CSV, JSON, NDJSON
from app.http.problems import InferenceError, Problem
from app.inference.formats.base import Writer
from app.inference.formats.csv import CSVWriter
from app.inference.formats.json import ColumnsWriter
from app.inference.formats.ndjson import NDJSONWriter
from app.inference.registry import LoadedModels
from app.inference.row_json import HouseFeatures, prediction_json
from app.inference.rows import Rows
from app.inference.scored import Scored, Scorer
from models.features import FEATURE_NAMES
from models.interval import DEFAULT_LEVEL

REFERENCED_SCHEMAS = (
    HouseFeatures,
    HouseColumns,
    PredictedColumns,
    RefusedRow,
    InferenceRequest,
    InferenceError,
    Problem,
)
"""Schemas of bodies that FastAPI neither parses nor serializes, so it does not document them."""


def build_openapi(app: FastAPI, models: LoadedModels) -> dict[str, Any]:
    """Return the OpenAPI document of an app that serves these models."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    _add_referenced_schemas(document)
    _remove_fastapi_errors(document)
    _add_training_ranges(document, models)
    _add_examples(document, models)
    _add_batch_examples(document, models)
    _add_v2_examples(document, models)
    return document


def _add_referenced_schemas(document: dict[str, Any]) -> None:
    _, definitions = models_json_schema(
        [(schema, "validation") for schema in REFERENCED_SCHEMAS],
        ref_template="#/components/schemas/{model}",
    )
    document["components"]["schemas"] |= definitions["$defs"]


def _remove_fastapi_errors(document: dict[str, Any]) -> None:
    """Remove FastAPI's default 422, which the handlers of `errors` replace."""
    for path in document["paths"].values():
        for operation in path.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)


def _add_training_ranges(document: dict[str, Any], models: LoadedModels) -> None:
    """Add the default model's training ranges; a number outside its range causes a warning."""
    properties = document["components"]["schemas"]["HouseFeatures"]["properties"]
    for feature, low, high in models.default.saved.model.training_ranges.by_feature:
        field = properties[feature.name]
        field["x-training-range"] = [low, high]
        field["description"] += f" Training range: {low:.6g} to {high:.6g}."


def _add_examples(document: dict[str, Any], models: LoadedModels) -> None:
    """Add the first golden row with its prediction, and the default model's name."""
    row = models.default.saved.golden_rows[0]
    for path in ("/predict", "/explain"):
        request = document["paths"][path]["post"]["requestBody"]["content"][JSON]
        request["example"] = dict(zip(FEATURE_NAMES, row.tolist(), strict=True))
    for path in ("/predict", "/predict/batch", "/explain"):
        headers = document["paths"][path]["post"]["responses"]["200"]["headers"]
        headers[MODEL_HEADER]["example"] = models.default.identity
    operation = document["paths"]["/predict"]["post"]
    response = operation["responses"]["200"]["content"][JSON]
    prediction = models.default.saved.model.predict_row(row.tolist())
    response["example"] = prediction_json(prediction, DEFAULT_LEVEL, models.default.identity)
    for path, method in (("/models/{name}", "get"), ("/models/{name}/reload", "post")):
        (name,) = document["paths"][path][method]["parameters"]
        name["example"] = models.default.name


def _add_batch_examples(document: dict[str, Any], models: LoadedModels) -> None:
    """Add two golden rows in each text media type, with their predictions."""
    rows = models.default.saved.golden_rows[:2]
    scorer = Scorer(models.default)
    estimate, warnings = models.default.saved.model.estimate_with_warnings(rows)
    scored = Scored(Rows(rows), np.transpose(estimate), dict(enumerate(warnings)))
    objects = [dict(zip(FEATURE_NAMES, row, strict=True)) for row in rows.tolist()]
    columns = dict(zip(FEATURE_NAMES, rows.T.tolist(), strict=True))
    operation = document["paths"]["/predict/batch"]["post"]
    request, response = operation["requestBody"], operation["responses"]["200"]
    request["content"][JSON]["examples"] = _named(rows=objects, columns=columns)
    response["content"][JSON]["examples"] = _named(
        rows=scored.to_json(scorer), columns=from_json(ColumnsWriter(scorer).write([scored]))
    )
    lines = [",".join(FEATURE_NAMES), *(",".join(map(repr, row)) for row in rows.tolist())]
    request["content"][CSV]["example"] = "\n".join(lines) + "\n"
    response["content"][CSV]["example"] = _encode(CSVWriter(), scored)
    request["content"][NDJSON]["example"] = "".join(f"{json.dumps(row)}\n" for row in objects)
    response["content"][NDJSON]["example"] = _encode(NDJSONWriter(scorer), scored)


def _named(**values: Any) -> dict[str, Any]:
    return {name: {"value": value} for name, value in values.items()}


def _encode(writer: Writer, scored: Scored) -> str:
    return (writer.start() + writer.write(scored) + writer.end()).decode()


def _add_v2_examples(document: dict[str, Any], models: LoadedModels) -> None:
    """Add two golden rows with their predictions, as JSON."""
    model = models.default
    rows = model.saved.golden_rows[:2]
    tensor = {"name": "features", "shape": [*rows.shape], "datatype": "FP64"}
    predictions = {"data": model.saved.model.predict(rows).tolist()}
    for path, operations in document["paths"].items():
        if not path.startswith("/v2/models/{name}"):
            continue
        (operation,) = operations.values()
        for parameter in operation["parameters"]:
            if parameter["in"] == "path":
                by_name = {"name": model.name, "version": model.saved.version}
                parameter["example"] = by_name[parameter["name"]]
        if path.endswith("/infer"):
            request = operation["requestBody"]["content"][JSON]
            request["example"] = {"id": "1", "inputs": [{**tensor, "data": rows.tolist()}]}
            response = operation["responses"]["200"]["content"][JSON]
            response["example"] = inference.response_json(model, "1", len(rows), predictions)
