"""The protocol's objects, as far as this service looks at them; other members are left alone."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas import FiniteSchema
from models.features import FEATURE_NAMES, TARGET_UNIT

Datatype = Literal[
    "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"
]
MAX_SIZE = 2**31 - 1
Size = Annotated[int, Field(ge=0, lt=MAX_SIZE + 1)]


class _Requested(BaseModel):
    """Part of a request. A member that is null counts as absent: some clients send all of them."""

    model_config = ConfigDict(strict=True)


class InputParameters(_Requested):
    """What Triton's extension says of an input."""

    binary_data_size: Size | None = Field(
        None, description="The input's bytes behind the JSON, little-endian, instead of `data`."
    )


class InputTensor(_Requested):
    """An input."""

    name: str = Field(description="`features`, or one feature's name.")
    shape: list[Size] = Field(
        description="[N, 8] for `features`; [N] or [N, 1] for one feature.", max_length=8
    )
    datatype: Datatype
    data: list[Any] | None = Field(
        None, description="Numbers in row-major order, flat or nested as the shape says."
    )
    parameters: InputParameters | None = None


class OutputParameters(_Requested):
    """What Triton's extension says of an output."""

    binary_data: bool | None = Field(None, description="Whether it is to be sent as bytes.")


class RequestedOutput(_Requested):
    """An output that is asked for."""

    name: Literal["prediction"]
    parameters: OutputParameters | None = None


class RequestParameters(_Requested):
    """What Triton's extension says of all outputs."""

    binary_data_output: bool | None = Field(
        None, description="Whether outputs that do not say it are to be sent as bytes."
    )


class InferenceRequest(_Requested):
    """Rows to predict: one input with all features, or an input for each of the eight."""

    id: str | None = Field(None, description="Comes back in the answer; generated when absent.")
    parameters: RequestParameters | None = None
    inputs: list[InputTensor] = Field(min_length=1, max_length=len(FEATURE_NAMES))
    outputs: list[RequestedOutput] | None = Field(None, max_length=1)


class OutputTensor(FiniteSchema):
    """The predictions."""

    name: str
    datatype: str
    shape: list[int]
    data: list[float] | None = Field(
        None, description=f"Median house values, {TARGET_UNIT}; absent where sent as bytes."
    )
    parameters: dict[str, Any] | None = Field(
        None, description="`binary_data_size`, where sent as bytes behind the JSON."
    )


class InferenceResponse(FiniteSchema):
    """The predictions for the rows of a request, in their order."""

    model_name: str
    model_version: str
    id: str
    outputs: list[OutputTensor]


class ServerMetadata(BaseModel):
    """What the server is."""

    name: str
    version: str
    extensions: list[str]


class ServerLive(BaseModel):
    """The process answers."""

    live: bool


class ServerReady(BaseModel):
    """Requests should be sent."""

    ready: bool


class ModelReady(BaseModel):
    """Requests for this model should be sent."""

    name: str
    ready: bool


class ModelNames(BaseModel):
    """Every model that is loaded."""

    models: list[str]


class TensorMetadata(BaseModel):
    """An input or an output of a model."""

    name: str
    datatype: str
    shape: list[int] = Field(description="-1 is any number of rows.")
    parameters: dict[str, Any] = Field(description="The columns in order, and their units.")


class ModelMetadata(BaseModel):
    """What a model takes and gives."""

    name: str
    versions: list[str] = Field(description="One: the first 8 digits of the parameters' SHA-256.")
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
