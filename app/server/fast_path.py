"""The fast path of POST /predict: from the bytes of a request to the bytes of its response.

FastAPI takes several times as long for a request as its prediction does. The fast path has no rule
of its own: the access checks, the row's schema, the response, the metrics and the access log are
those of the app. It answers only with 200, and leaves every other request to the app. A test sends
the same requests both ways and compares every byte.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from typing import NamedTuple
from urllib.parse import urlencode

from fastapi import HTTPException
from pydantic_core import to_json
from starlette.datastructures import Headers as RequestHeaders

from app.http.bodies import MAX_CONTENT_TYPE_LENGTH, require_media_type
from app.http.headers import MODEL_HEADER, Headers, request_id
from app.http.media_types import JSON
from app.inference.registry import Chosen, LoadedModels
from app.inference.row_json import InvalidRowError, parse_row, prediction_json
from app.observability.access_log import Line
from app.observability.metrics import count_buffer
from app.observability.predictions import predict_rows
from app.server.response_bytes import OK, header_block, response_bytes
from app.state import AppState
from models.house_price import RowPrediction
from models.interval import DEFAULT_LEVEL

METHOD, PATH = b"POST", b"/predict"
LEFT_TO_THE_APP = frozenset({b"content-encoding", b"transfer-encoding"})  # headers


class Endpoint(NamedTuple):
    """The model and the level of a target, and what its responses have in common."""

    chosen: Chosen
    batch_key: tuple[str, float]  # rows with the same key are predicted in one call
    header_block: bytes
    is_batch_invariant: bool


@dataclass(slots=True)
class PendingPrediction:
    """A validated request awaiting its prediction."""

    endpoint: Endpoint
    row: list[float]
    headers: Headers
    cors_block: bytes
    client: str | None
    key_name: str | None
    started: float  # by perf_counter

    @property
    def can_wait(self) -> bool:
        """Whether it may join a micro-batch: its prediction has the same bits in any batch."""
        return self.endpoint.is_batch_invariant


class FastPath:
    """Parses requests and responds to them with the models that are loaded at that moment."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._access = state.access
        self._log = state.access_log
        self._models: LoadedModels | None = None
        self._endpoints: dict[bytes, Endpoint] = {}
        self._cors_block = lru_cache(maxsize=64)(
            lambda origin: header_block(state.access.cors_headers(origin))
        )

    def parse(
        self, method: bytes, target: bytes, headers: Headers, body: bytes, client: str | None
    ) -> PendingPrediction | None:
        """Validate a request with its whole body; None leaves it to the app."""
        started = perf_counter()
        endpoint = self._endpoint(target)
        if method != METHOD or endpoint is None:
            return None
        principal = self._access.authenticate(headers)
        if principal is None:
            return None
        content_type = origin = None
        for name, value in headers:
            if name == b"content-type" and content_type is None:
                content_type = value
            elif name == b"origin":
                origin = value if origin is None else origin
            elif name == b"content-type" or name in LEFT_TO_THE_APP:
                return None
        if content_type is None or not _is_json(content_type):
            return None
        try:
            row = parse_row(body)
        except InvalidRowError:  # the app explains it
            return None
        cors_block = self._cors_block(origin)
        return PendingPrediction(
            endpoint, row, headers, cors_block, client, principal.key_name, started
        )

    def respond(
        self, batch: Sequence[PendingPrediction], server_headers: Headers
    ) -> list[bytes | None]:
        """Return the response to each request; None leaves it to the app.

        `server_headers` are those that the server adds to every response.
        """
        if len(batch) == 1:
            return self._respond_group(batch, server_headers)
        responses: list[bytes | None] = [None] * len(batch)
        positions = defaultdict(list)
        for position, pending in enumerate(batch):
            positions[pending.endpoint.batch_key].append(position)
        for group in positions.values():
            members = [batch[position] for position in group]
            group_responses = self._respond_group(members, server_headers)
            for position, response in zip(group, group_responses, strict=True):
                responses[position] = response
        return responses

    def _endpoint(self, target: bytes) -> Endpoint | None:
        if self._models is not self._state.models:
            self._models = self._state.models
            self._endpoints = _endpoints(self._models)
        return self._endpoints.get(target)

    def _respond_group(
        self, batch: Sequence[PendingPrediction], server_headers: Headers
    ) -> list[bytes | None]:
        """Respond to requests with the same batch key."""
        head = OK.to_bytes(server_headers)
        chosen = batch[0].endpoint.chosen
        rows = [pending.row for pending in batch]
        try:
            predictions = predict_rows(chosen, rows)
            return [
                self._respond(pending, prediction, head)
                for pending, prediction in zip(batch, predictions, strict=True)
            ]
        except Exception:  # the app repeats each alone, and reports the one that fails
            return [None] * len(batch)

    def _respond(self, pending: PendingPrediction, prediction: RowPrediction, head: bytes) -> bytes:
        """Count and log one response."""
        endpoint, headers = pending.endpoint, pending.headers
        chosen = endpoint.chosen
        identity = chosen.model.identity
        content = to_json(prediction_json(prediction, chosen.level, identity))
        seconds = perf_counter() - pending.started
        count_buffer.add_request("POST", "/predict", 200, seconds)
        name = request_id(headers)
        if self._log is not None:
            self._log.add(
                Line(
                    *(pending.client, "POST", headers, name, 200, seconds, len(content)),
                    route="/predict",
                    model=identity,
                    key=pending.key_name,
                )
            )
        block = b"content-length: %d\r\n%b%b" % (
            *(len(content), endpoint.header_block),
            pending.cors_block,
        )
        return response_bytes(head, block, name, content)


@lru_cache(maxsize=64)
def _is_json(content_type: bytes) -> bool:
    """Return whether the app takes a body of this type; unusually long types are left to it."""
    if len(content_type) > MAX_CONTENT_TYPE_LENGTH:
        return False
    try:
        require_media_type(RequestHeaders(raw=[(b"content-type", content_type)]), JSON)
    except HTTPException:
        return False
    return True


def _endpoints(models: LoadedModels) -> dict[bytes, Endpoint]:
    """Return the endpoint of every valid target, written as clients usually write it."""
    endpoints = {}
    for name in (None, *models.by_name):
        model = models.default if name is None else models.by_name[name]
        block = header_block(
            [
                (b"content-type", JSON.encode()),
                (MODEL_HEADER.lower().encode(), model.identity.encode()),
            ]
        )
        is_batch_invariant = model.saved.model.is_batch_invariant
        for level in (None, *model.saved.model.interval.levels.tolist()):
            parameters = {"model": name, "level": None if level is None else f"{level:g}"}
            query = urlencode({key: value for key, value in parameters.items() if value})
            target = PATH + (f"?{query}".encode() if query else b"")
            chosen = Chosen(model, DEFAULT_LEVEL if level is None else level)
            key = (model.identity, chosen.level)
            endpoints[target] = Endpoint(chosen, key, block, is_batch_invariant)
    return endpoints
