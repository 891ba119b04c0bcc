"""From the body of a request to what it asks for, and from the predictions to the response."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Response
from pydantic import ValidationError
from pydantic_core import from_json, to_json

from app.api.v2.inputs import read_raw_rows, read_rows
from app.api.v2.schemas import MAX_SIZE, InferenceRequest
from app.api.v2.tensors import dtype_by_datatype
from app.http.media_types import BYTES, JSON
from app.http.model_header import model_header
from app.http.problems import raise_bad_request
from app.http.strict_json import require_depth
from app.inference.registry import NamedModel
from app.inference.row_errors import json_type_name
from models.arrays import FloatArray
from models.features import FEATURE_NAMES

what_is_required = {
    "id": "a string",
    "parameters": "an object",
    "inputs": f"an array of one input, features, or of {len(FEATURE_NAMES)}",
    "name": "a string, for an output `prediction`",
    "shape": "an array of a few whole numbers, 0 or above",
    "datatype": f"one of {', '.join(dtype_by_datatype)}",
    "data": "an array",
    "outputs": "an array of at most one output, prediction",
    "binary_data_size": "a number of bytes",
    "binary_data": "true or false",
    "binary_data_output": "true or false",
}
"""By the member of the request."""

what_is_required_of_an_item = {
    "inputs": "an object",
    "shape": f"a whole number from 0 to {MAX_SIZE:,}",
    "outputs": "an object",
}
"""By the member that is an array of such items."""


@dataclass(frozen=True, slots=True)
class Inference:
    """What a request asks for."""

    rows: FloatArray  # (n, 8), in the order and units of FEATURES, within their bounds
    id: str
    binary: bool
    """Whether the predictions are to be sent as bytes."""


def read_inference(body: bytes, json_length: int) -> Inference:
    """What a body asks for, of which so many bytes are JSON and the others numbers.

    Without JSON it is one buffer of rows, which are answered as bytes too; so does Triton.

    Raises HTTPException: a 400, or a 413 where there are too many rows.
    """
    buffers = memoryview(body)[json_length:]
    if buffers and not json_length:
        return Inference(read_raw_rows(buffers), _new_id(), binary=True)
    request = _parse(body[:json_length])
    rows = read_rows(request.inputs, buffers)
    return Inference(rows, _new_id() if request.id is None else request.id, _wants_bytes(request))


def respond(inference: Inference, predictions: FloatArray, model: NamedModel) -> Response:
    """The response with the finite predictions (n,), in 100,000 USD of 1990."""
    if not inference.binary:
        numbers = {"data": predictions.tolist()}
        content = to_json(answer(model, inference.id, len(predictions), numbers))
        return Response(content, headers=model_header(model.identity), media_type=JSON)
    buffer = predictions.astype("<f8", copy=False).tobytes()
    size = {"parameters": {"binary_data_size": len(buffer)}}
    content = to_json(answer(model, inference.id, len(predictions), size))
    headers = {"Inference-Header-Content-Length": str(len(content)), **model_header(model.identity)}
    return Response(content + buffer, headers=headers, media_type=BYTES)


def answer(model: NamedModel, request_id: str, count: int, numbers: dict[str, Any]) -> Any:
    """InferenceResponse as JSON types, for so many rows; `numbers` has the data, or its size."""
    output = {"name": "prediction", "datatype": "FP64", "shape": [count, 1], **numbers}
    return {
        "model_name": model.name,
        "model_version": model.saved.version,
        "id": request_id,
        "outputs": [output],
    }


def _parse(text: bytes) -> InferenceRequest:
    if not text:
        raise_bad_request("The request must be JSON in UTF-8, however it is empty.")
    try:
        require_depth(text)
        return InferenceRequest.model_validate(from_json(text))
    except ValidationError as error:
        raise_bad_request(_explain(error.errors()[0]))
    except json.JSONDecodeError as error:
        raise_bad_request(f"The request must be JSON in UTF-8, however: {error.msg}.")
    except ValueError as error:
        raise_bad_request(f"The request must be JSON in UTF-8, however: {error}.")


def _explain(error: Mapping[str, Any]) -> str:
    """One of Pydantic's errors in words, without the input that it carries."""
    members = [place for place in error["loc"] if isinstance(place, str)]
    if not members:
        return "The request must be a JSON object, however it is not."
    where = "".join(
        f".{place}" if isinstance(place, str) else f"[{place}]" for place in error["loc"]
    )
    is_item = error["loc"][-1] != members[-1]
    required = (what_is_required_of_an_item if is_item else what_is_required)[members[-1]]
    came = "another one came"
    if error["type"] == "missing":
        came = "it is missing"
    elif error["type"].endswith("_type"):
        came = f"{json_type_name(error['input'])} came"
    return f"`{where[1:]}` must be {required}, however {came}."


def _wants_bytes(request: InferenceRequest) -> bool:
    """An output says it for itself, or else the request for all of them."""
    for output in request.outputs or []:
        if output.parameters and output.parameters.binary_data is not None:
            return output.parameters.binary_data
    return bool(request.parameters and request.parameters.binary_data_output)


def _new_id() -> str:
    return str(uuid.uuid4())
