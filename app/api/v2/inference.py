"""Read the body of a V2 inference request, and write its response."""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException, Response
from pydantic import ValidationError
from pydantic_core import from_json, to_json
from starlette.datastructures import Headers

from app.api.v2.inputs import DTYPES, read_inputs, read_raw_rows
from app.api.v2.schemas import MAX_SIZE, InferenceRequest
from app.http.headers import MODEL_HEADER
from app.http.media_types import BYTES, JSON
from app.http.strict_json import require_max_depth
from app.inference.registry import NamedModel
from app.inference.row_errors import json_type_name
from models.arrays import FloatArray
from models.features import FEATURE_NAMES

JSON_LENGTH_HEADER = "Inference-Header-Content-Length"

REQUIRED = {
    "id": "a string",
    "parameters": "an object",
    "inputs": f"an array of one input, features, or of {len(FEATURE_NAMES)}",
    "name": "a string, for an output `prediction`",
    "shape": "an array of a few whole numbers, 0 or above",
    "datatype": f"one of {', '.join(DTYPES)}",
    "data": "an array",
    "outputs": "an array of at most one output, prediction",
    "binary_data_size": "a number of bytes",
    "binary_data": "true or false",
    "binary_data_output": "true or false",
}
"""What is required of each member of a request."""

REQUIRED_ITEMS = {
    "inputs": "an object",
    "shape": f"a whole number from 0 to {MAX_SIZE:,}",
    "outputs": "an object",
}
"""What is required of the items of each member that is an array."""


@dataclass(frozen=True, slots=True)
class Inference:
    """A validated inference request."""

    rows: FloatArray  # (n, 8), in the order and units of FEATURES, within their bounds
    id: str
    binary: bool  # whether to send the predictions as bytes


def read_inference(body: bytes, headers: Headers) -> Inference:
    """Return the request in a body: JSON, then the buffers of binary inputs.

    A body without JSON is one buffer of rows, and its predictions are binary too, as in Triton.

    Raises HTTPException: 400, or 413 when there are too many rows.
    """
    json_length = _json_length(headers, len(body))
    buffers = memoryview(body)[json_length:]
    if buffers and not json_length:
        return Inference(read_raw_rows(buffers), _new_id(), binary=True)
    request = _parse(body[:json_length])
    rows = read_inputs(request.inputs, buffers)
    return Inference(rows, _new_id() if request.id is None else request.id, _wants_binary(request))


def respond(inference: Inference, predictions: FloatArray, model: NamedModel) -> Response:
    """Return the response with finite predictions (n,), in 100,000 USD of 1990."""
    headers = {MODEL_HEADER: model.identity}
    count = len(predictions)
    if not inference.binary:
        data = {"data": predictions.tolist()}
        content = to_json(response_json(model, inference.id, count, data))
        return Response(content, headers=headers, media_type=JSON)
    buffer = predictions.astype("<f8", copy=False).tobytes()
    size = {"parameters": {"binary_data_size": len(buffer)}}
    content = to_json(response_json(model, inference.id, count, size))
    headers[JSON_LENGTH_HEADER] = str(len(content))
    return Response(content + buffer, headers=headers, media_type=BYTES)


def response_json(
    model: NamedModel, request_id: str, count: int, numbers: dict[str, Any]
) -> dict[str, Any]:
    """Return an InferenceResponse for `count` rows; `numbers` has their data or its size."""
    output = {"name": "prediction", "datatype": "FP64", "shape": [count, 1], **numbers}
    return {
        "model_name": model.name,
        "model_version": model.saved.version,
        "id": request_id,
        "outputs": [output],
    }


def _json_length(headers: Headers, body_length: int) -> int:
    length = headers.get(JSON_LENGTH_HEADER)
    if length is None:
        return body_length
    if not re.fullmatch("[0-9]{1,9}", length) or int(length) > body_length:
        raise HTTPException(
            400, f"{JSON_LENGTH_HEADER} must be a number of bytes up to the body's length."
        )
    return int(length)


def _parse(text: bytes) -> InferenceRequest:
    if not text:
        raise HTTPException(400, "The request must be JSON in UTF-8, but it is empty.")
    try:
        require_max_depth(text)
        return InferenceRequest.model_validate(from_json(text))
    except ValidationError as error:
        raise HTTPException(400, _describe(error.errors()[0])) from error
    except ValueError as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else error
        raise HTTPException(
            400, f"The request must be JSON in UTF-8, but parsing failed: {reason}."
        ) from error


def _describe(error: Mapping[str, Any]) -> str:
    """Return a Pydantic error in words, without the received value."""
    members = [place for place in error["loc"] if isinstance(place, str)]
    if not members:
        return "The request must be a JSON object."
    where = "".join(
        f".{place}" if isinstance(place, str) else f"[{place}]" for place in error["loc"]
    )
    is_item = error["loc"][-1] != members[-1]
    required = (REQUIRED_ITEMS if is_item else REQUIRED)[members[-1]]
    received = "got another value"
    if error["type"] == "missing":
        received = "but it is missing"
    elif error["type"].endswith("_type"):
        received = f"got {json_type_name(error['input'])}"
    return f"`{where[1:]}` must be {required}, {received}."


def _wants_binary(request: InferenceRequest) -> bool:
    """Return whether to send the output as bytes; its own choice overrides the request's."""
    for output in request.outputs or []:
        if output.parameters and output.parameters.binary_data is not None:
            return output.parameters.binary_data
    return bool(request.parameters and request.parameters.binary_data_output)


def _new_id() -> str:
    return str(uuid.uuid4())
