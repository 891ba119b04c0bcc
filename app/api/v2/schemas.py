"""Schemas of V2's objects, with the members that this service uses; it ignores all others."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas import FiniteSchema
from models.features import FEATURE_NAMES, TARGET_UNIT

Datatype = Literal[
    "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"
]
MAX_SIZE = 2**31 - 1
Size = Annotated[int, Field(ge=0, lt=MAX_SIZE + 1)]


class _RequestPart(BaseModel):
    """Part of a request. Null means absent, because some clients send every member."""

    model_config = ConfigDict(strict=True)


class InputParameters(_RequestPart):
    """Triton's extension for an input."""

    binary_data_size: Size | None = Field(
        None,
        description="The size in bytes of the input's buffer after the JSON; replaces `data`.",
    )


class InputTensor(_RequestPart):
    """An input tensor."""

    name: str = Field(description="`features`, or one feature's name.")
    shape: list[Size] = Field(
        description="[N, 8] for `features`; [N] or [N, 1] for one feature.", max_length=8
    )
    datatype: Datatype
    data: list[Any] | None = Field(
        None, description="Numbers in row-major order, flat or nested as the shape says."
    )
    parameters: InputParameters | None = None


class OutputParameters(_RequestPart):
    """Triton's extension for an output."""

    binary_data: bool | None = Field(None, description="Whether to send it as bytes.")


class RequestedOutput(_RequestPart):
    """A requested output."""

    name: Literal["prediction"]
    parameters: OutputParameters | None = None


class RequestParameters(_RequestPart):
    """Triton's extension for all outputs."""

    binary_data_output: bool | None = Field(
        None,
        description="Whether to send outputs as bytes; an output's `binary_data` overrides it.",
    )


class InferenceRequest(_RequestPart):
    """Rows to predict: one input with all features, or an input for each of the eight."""

    id: str | None = Field(None, description="Returned in the response; generated if absent.")
    parameters: RequestParameters | None = None
    inputs: list[InputTensor] = Field(min_length=1, max_length=len(FEATURE_NAMES))
    outputs: list[RequestedOutput] | None = Field(None, max_length=1)


class OutputTensor(FiniteSchema):
    """The predictions."""

    name: str
    datatype: str
    shape: list[int]
    data: list[float] | None = Field(
        None, description=f"Median house values, {TARGET_UNIT}; absent if sent as bytes."
    )
    parameters: dict[str, Any] | None = Field(
        None, description="`binary_data_size`, if sent as bytes after the JSON."
    )


class InferenceResponse(FiniteSchema):
    """The predictions for the rows of a request, in their order."""

    model_name: str
    model_version: str
    id: str
    outputs: list[OutputTensor]


class ServerMetadata(BaseModel):
    """The server's name, version and extensions."""

    name: str
    version: str
    extensions: list[str]


class ServerLive(BaseModel):
    """The liveness of the process."""

    live: bool


class ServerReady(BaseModel):
    """The readiness of the service."""

    ready: bool


class ModelReady(BaseModel):
    """The readiness of a model."""

    name: str
    ready: bool


class ModelNames(BaseModel):
    """The names of all loaded models."""

    models: list[str]


class TensorMetadata(BaseModel):
    """An input or an output of a model."""

    name: str
    datatype: str
    shape: list[int] = Field(description="-1 means any number of rows.")
    parameters: dict[str, Any] = Field(description="The columns in order, and their units.")


class ModelMetadata(BaseModel):
    """The inputs and outputs of a model."""

    name: str
    versions: list[str] = Field(
        description="One: the first 8 hex digits of the parameters' SHA-256."
    )
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
