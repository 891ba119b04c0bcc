"""/v2: the Open Inference Protocol, which clients of Triton, KServe and MLServer speak."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from app import __version__
from app.api.dependencies import ModelsDep, require_ready
from app.api.v2.body import TOO_LARGE, length_of_json, read_body
from app.api.v2.inference import read_inference, respond
from app.api.v2.schemas import (
    InferenceResponse,
    ModelMetadata,
    ModelNames,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
    TensorMetadata,
)
from app.http import media_types
from app.http.model_header import MODEL_HEADER_TOLD
from app.http.openapi_errors import (
    SHUTTING_DOWN_SENTENCE,
    V2_OVERLOADED_DOCS,
    ErrorDocs,
    v2_error_docs,
)
from app.inference.registry import NamedModel
from app.inference.rows import Rows
from app.inference.scheduler import INITIAL_SLICE, reject_if_saturated
from app.observability.predictions import CountingScorer
from models.features import FEATURE_NAMES, FEATURES, TARGET_UNIT

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

EXTENSIONS = ["binary_tensor_data"]

INPUT = TensorMetadata(
    name="features",
    datatype="FP64",
    shape=[-1, len(FEATURE_NAMES)],
    parameters={
        "columns": [*FEATURE_NAMES],
        "units": [feature.unit for feature in FEATURES],
    },
)
OUTPUT = TensorMetadata(
    name="prediction", datatype="FP64", shape=[-1, 1], parameters={"unit": TARGET_UNIT}
)


NOT_READY = v2_error_docs(503, "The service is shutting down.", SHUTTING_DOWN_SENTENCE)
REFUSALS: ErrorDocs = {
    **v2_error_docs(
        400,
        "The request is malformed, or a number is out of bounds.",
        "Row 0: HouseAge must be a number from 0 to 200 (years), got a number that is too large.",
    ),
    **v2_error_docs(413, "The body is too large, or has too many rows.", TOO_LARGE),
    **v2_error_docs(
        415,
        "The body is compressed by something else than gzip or deflate.",
        "The Content-Encoding must be gzip or deflate, however another one came.",
    ),
    **V2_OVERLOADED_DOCS,
}
BYTES = {media_types.BYTES: {"schema": {"type": "string", "format": "binary"}}}
ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": BYTES, "description": "The predictions.", **MODEL_HEADER_TOLD}
}
REQUEST = {
    "requestBody": {
        "required": True,
        "content": {
            media_types.JSON: {"schema": {"$ref": "#/components/schemas/InferenceRequest"}},
            **BYTES,
        },
    },
    "parameters": [
        {
            "name": "Inference-Header-Content-Length",
            "in": "header",
            "schema": {"type": "integer", "minimum": 0},
            "description": "The length of the JSON that the inputs' bytes follow; "
            "0 where the body is nothing but rows of FP64. Without it, all is JSON.",
        }
    ],
}


async def get_model(models: ModelsDep, name: str) -> NamedModel:
    """The model of an address."""
    return models.get(name)


ModelDep = Annotated[NamedModel, Depends(get_model)]
"""The model that an address names."""


async def require_version(model: ModelDep, version: str) -> None:
    """A 404 for a version that is not loaded."""
    if version != model.saved.version:
        raise HTTPException(
            404, f"The version must be {model.saved.version}, however another one came."
        )


TAGS: list[str | Enum] = ["Open Inference Protocol V2"]
FAILED = v2_error_docs(
    500, "The service failed.", "The service failed, and it is not the request's fault."
)
UNKNOWN = v2_error_docs(
    404,
    "No such model or version.",
    "The model must be champion or notebook, got another name.",
)

router = APIRouter(prefix="/v2", tags=TAGS, responses=FAILED)


def _of_model(
    method: str,
    path: str,
    *,
    responses: ErrorDocs | None = None,
    dependencies: Sequence[Any] = (),
    **told: Any,
) -> Callable[[Endpoint], Endpoint]:
    """Declare what can be asked of a model, and in the same way of its version."""

    def declare(endpoint: Endpoint) -> Endpoint:
        for prefix, required in (
            ("/models/{name}", []),
            ("/models/{name}/versions/{version}", [Depends(require_version)]),
        ):
            router.add_api_route(
                prefix + path,
                endpoint,
                methods=[method],
                responses=UNKNOWN | (responses or {}),
                dependencies=[*required, *dependencies],
                **told,
            )
        return endpoint

    return declare


@router.get("", summary="What the server is")
@router.get("/", include_in_schema=False)
async def server_metadata() -> ServerMetadata:
    """The server's name, its version, and what it knows beyond the protocol."""
    return ServerMetadata(
        name="california-housing-predictor", version=__version__, extensions=EXTENSIONS
    )


@router.get("/health/live", summary="Does the process live?")
async def live() -> ServerLive:
    """The process answers; nothing else is asked."""
    return ServerLive(live=True)


@router.get(
    "/health/ready",
    summary="Should requests be sent?",
    responses=NOT_READY,
    dependencies=[Depends(require_ready)],
)
async def ready() -> ServerReady:
    """The models are loaded, and the service is not shutting down."""
    return ServerReady(ready=True)


@router.get("/models", summary="The names of the models")
async def model_names(models: ModelsDep) -> ModelNames:
    """Every model that is loaded."""
    return ModelNames(models=[*models.by_name])


@_of_model(
    "POST",
    "/infer",
    summary="Predict many rows",
    response_model=InferenceResponse,
    response_model_exclude_none=True,
    responses=ANSWER | REFUSALS,
    openapi_extra=REQUEST,
)
async def infer(request: Request, model: ModelDep) -> Response:
    """Predict the median house values of up to 10,000 rows, in 100,000 USD of 1990.

    Send one input `features` of shape [N, 8], or eight inputs of shape [N] or [N, 1] that are named
    after the features, as numbers in JSON or as bytes. The first number that is missing, is none or
    is out of bounds refuses the request, by its row (counted from 0) and feature. A body may be
    compressed by gzip or deflate, and has at most 4 MiB without that.
    """
    body = await read_body(request)
    inference = read_inference(body, length_of_json(request.headers, len(body)))
    if len(inference.rows) > INITIAL_SLICE:
        reject_if_saturated()
    scored = await CountingScorer(model).score(Rows(inference.rows), with_warnings=False)
    return respond(inference, scored.estimates[:, 0], model)


@_of_model("GET", "", summary="What a model takes and gives")
async def model_metadata(model: ModelDep) -> ModelMetadata:
    """A row is the eight features, in the order and units that the input's parameters tell."""
    return ModelMetadata(
        name=model.name,
        versions=[model.saved.version],
        platform="numpy_npz",
        inputs=[INPUT],
        outputs=[OUTPUT],
    )


@_of_model(
    "GET",
    "/ready",
    summary="Should this model be sent requests?",
    responses=NOT_READY,
    dependencies=[Depends(require_ready)],
)
async def model_ready(model: ModelDep) -> ModelReady:
    """The model is loaded, and the service is not shutting down."""
    return ModelReady(name=model.name, ready=True)
