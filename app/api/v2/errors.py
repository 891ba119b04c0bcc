"""An error as the protocol has it."""

from collections.abc import Mapping
from typing import Never

from fastapi import HTTPException, Response

from app.api.v2.schemas import InferenceError
from app.http.media_types import JSON


def is_v2(path: str) -> bool:
    """Whether an address is the protocol's."""
    return path == "/v2" or path.startswith("/v2/")


def v2_error(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Exactly `application/json`: the protocol's clients read the sentence of no other type."""
    content = InferenceError(error=detail).model_dump_json()
    return Response(content, status, headers, media_type=JSON)


def raise_bad_request(sentence: str) -> Never:
    """Answer the request with 400 and a sentence."""
    raise HTTPException(400, sentence)
