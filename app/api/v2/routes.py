"""/v2: the Open Inference Protocol, which clients of Triton, KServe and MLServer speak."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from app import __version__
from app.api.dependencies import ModelsDep, require_ready
from app.api.v2.inference import JSON_LENGTH_HEADER, read_inference, respond
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
from app.http.bodies import read_compressed_body
from app.http.headers import MODEL_HEADER_DOCS
from app.http.openapi_errors import (
    INTERNAL_ERROR,
    OVERLOADED,
    SHUTTING_DOWN,
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

MAX_BYTES = 4 * 1024 * 1024  # 10,000 rows of JSON have about 1.6 MB
TOO_LARGE = f"The body must have at most {MAX_BYTES:,} bytes, got more."

NOT_READY = v2_error_docs(*SHUTTING_DOWN)
INFER_ERRORS: ErrorDocs = {
    **v2_error_docs(
        400,
        "The request is malformed, or a number is out of bounds.",
        "Row 0: HouseAge must be a number from 0 to 200 (years), got a number that is too large.",
    ),
    **v2_error_docs(413, "The body is too large, or has too many rows.", TOO_LARGE),
    **v2_error_docs(
        415,
        "The body is compressed by something other than gzip or deflate.",
        "The Content-Encoding must be gzip or deflate, got another one.",
    ),
    **v2_error_docs(*OVERLOADED),
}
BINARY_CONTENT = {media_types.BYTES: {"schema": {"type": "string", "format": "binary"}}}
INFER_SUCCESS: ErrorDocs = {
    200: {"content": BINARY_CONTENT, "description": "The predictions.", **MODEL_HEADER_DOCS}
}
REQUEST = {
    "requestBody": {
        "required": True,
        "content": {
            media_types.JSON: {"schema": {"$ref": "#/components/schemas/InferenceRequest"}},
            **BINARY_CONTENT,
        },
    },
    "parameters": [
        {
            "name": JSON_LENGTH_HEADER,
            "in": "header",
            "schema": {"type": "integer", "minimum": 0},
            "description": "The length of the JSON before the inputs' buffers; 0 if the body is "
            "only rows of FP64. Without it, the whole body is JSON.",
        }
    ],
}


async def get_model(models: ModelsDep, name: str) -> NamedModel:
    """Return the model that the path names."""
    return models.get(name)


ModelDep = Annotated[NamedModel, Depends(get_model)]


async def require_version(model: ModelDep, version: str) -> None:
    """Raise HTTPException 404 when that version is not loaded."""
    if version != model.saved.version:
        raise HTTPException(404, f"The version must be {model.saved.version}, got another one.")


TAGS: list[str | Enum] = ["Open Inference Protocol V2"]
UNKNOWN_MODEL = v2_error_docs(
    404,
    "No such model or version.",
    "The model must be champion or notebook, got another name.",
)

router = APIRouter(prefix="/v2", tags=TAGS, responses=v2_error_docs(*INTERNAL_ERROR))


def _model_route(
    method: str,
    path: str,
    *,
    responses: ErrorDocs | None = None,
    dependencies: Sequence[Any] = (),
    **options: Any,
) -> Callable[[Endpoint], Endpoint]:
    """Declare a route of a model, and the same route of a version of it."""

    def declare(endpoint: Endpoint) -> Endpoint:
        for prefix, prefix_dependencies in (
            ("/models/{name}", []),
            ("/models/{name}/versions/{version}", [Depends(require_version)]),
        ):
            router.add_api_route(
                prefix + path,
                endpoint,
                methods=[method],
                responses=UNKNOWN_MODEL | (responses or {}),
                dependencies=[*prefix_dependencies, *dependencies],
                **options,
            )
        return endpoint

    return declare


@router.get("", summary="Server metadata")
@router.get("/", include_in_schema=False)
async def server_metadata() -> ServerMetadata:
    """The server's name, its version, and its extensions of the protocol."""
    return ServerMetadata(
        name="california-housing-predictor", version=__version__, extensions=EXTENSIONS
    )


@router.get("/health/live", summary="Liveness probe")
async def live() -> ServerLive:
    """The process responds; nothing else is checked."""
    return ServerLive(live=True)


@router.get(
    "/health/ready",
    summary="Readiness probe",
    responses=NOT_READY,
    dependencies=[Depends(require_ready)],
)
async def ready() -> ServerReady:
    """The models are loaded, and the service is not shutting down."""
    return ServerReady(ready=True)


@router.get("/models", summary="The names of the models")
async def model_names(models: ModelsDep) -> ModelNames:
    """The names of all loaded models."""
    return ModelNames(models=[*models.by_name])


@_model_route(
    "POST",
    "/infer",
    summary="Predict many rows",
    response_model=InferenceResponse,
    response_model_exclude_none=True,
    responses=INFER_SUCCESS | INFER_ERRORS,
    openapi_extra=REQUEST,
)
async def infer(request: Request, model: ModelDep) -> Response:
    """Predict the median house values of up to 10,000 rows, in 100,000 USD of 1990.

    Send one input `features` of shape [N, 8], or eight inputs of shape [N] or [N, 1] named after
    the features, as numbers in JSON or as bytes. If a value is not a number or out of bounds, the
    request is rejected with an error that names the first such row (from 0) and feature. The body
    may be compressed by gzip or deflate; decompressed, it has at most 4 MiB.
    """
    body = await read_compressed_body(request, MAX_BYTES, TOO_LARGE)
    inference = read_inference(body, request.headers)
    if len(inference.rows) > INITIAL_SLICE:  # fewer rows are one short slice
        reject_if_saturated()
    scored = await CountingScorer(model).score(Rows(inference.rows), with_warnings=False)
    return respond(inference, scored.estimates[:, 0], model)


@_model_route("GET", "", summary="Model metadata")
async def model_metadata(model: ModelDep) -> ModelMetadata:
    """The model's input and output; the input's parameters list the eight features and units."""
    return ModelMetadata(
        name=model.name,
        versions=[model.saved.version],
        platform="numpy_npz",
        inputs=[INPUT],
        outputs=[OUTPUT],
    )


@_model_route(
    "GET",
    "/ready",
    summary="Readiness probe of a model",
    responses=NOT_READY,
    dependencies=[Depends(require_ready)],
)
async def model_ready(model: ModelDep) -> ModelReady:
    """The model is loaded, and the service is not shutting down."""
    return ModelReady(name=model.name, ready=True)
