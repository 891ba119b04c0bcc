"""The short way of POST /predict: the bytes of a request in, the bytes of its answer out.

What FastAPI does for a request costs several times what a prediction does. This way has no rule of
its own: it admits by the access policy, validates by the schema of `POST /predict`, answers by the
same function, counts in the same series, tells the same log. What it cannot answer with 200 it
leaves to FastAPI, which knows why. A test sends the same requests both ways and compares every
byte.
"""

from functools import lru_cache
from math import isfinite
from time import perf_counter
from typing import NamedTuple
from urllib.parse import urlencode

from fastapi import HTTPException
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.datastructures import Headers as RequestHeaders
from starlette.datastructures import State

from app.access.gate import Gate
from app.answer import answer_json
from app.content import LONGEST_CONTENT_TYPE, require_media_type
from app.dependencies import Chosen
from app.loaded_models import LoadedModels
from app.media_types import JSON
from app.model_header import MODEL_HEADER
from app.record.access_log import AccessLog, Line
from app.record.request_id import request_id
from app.response_headers import Headers
from app.schemas import HouseFeatures, to_numbers
from app.telemetry import RowsAnswered
from app.wire.answer_bytes import rest_of_answer
from models.features import FEATURES
from models.interval import DEFAULT_LEVEL

PATH = "/predict"
MEMBERS = len(FEATURES)
READ_BY_FASTAPI = frozenset({b"content-encoding", b"transfer-encoding"})

_validate = HouseFeatures.__pydantic_validator__.validate_json


class Target(NamedTuple):
    """What an address asks for, with the headers of its answer."""

    chosen: Chosen
    lines: bytes


class Prompt:
    """Answers requests from their bytes, with the models that are loaded at that moment."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._gate: Gate = state.gate
        self._log: AccessLog | None = state.access_log
        self._models: LoadedModels | None = None
        self._targets: dict[bytes, Target] = {}
        self.answered = RowsAnswered("POST", PATH)

    def knows(self, target: bytes) -> bool:
        """Whether requests to an address with its query, as it came, may be answered here."""
        if self._models is not self._state.models:
            self._models = self._state.models
            self._targets = _targets(self._state.models)
        return target in self._targets

    def answer(
        self, target: bytes, headers: Headers, body: bytes, client: str | None
    ) -> bytes | None:
        """The rest of an answer of status 200, after the server's own headers.

        None where FastAPI is to answer. The target is one that is known.
        """
        started = perf_counter()
        if body.count(b":") != MEMBERS:  # with more than the eight, one came twice
            return None
        visitor = self._gate.admit(headers)
        if visitor is None or not _is_plain(headers):
            return None
        try:
            house = _validate(body)
        except ValidationError:
            return None
        chosen, lines = self._targets[target]
        row = to_numbers(house)
        answer = chosen.model.saved.model.answer_row(row, chosen.level)
        if not isfinite(answer.prediction):
            return None
        model = chosen.model.identity
        content = to_json(answer_json(answer, chosen.level, model))
        seconds = perf_counter() - started
        self.answered.add(chosen.model, row, answer, seconds)
        name = request_id(headers)
        if self._log is not None:
            self._log.add(
                Line(
                    *(client, "POST", headers, name, 200, seconds, len(content)),
                    route=PATH,
                    model=model,
                    key=visitor.key_name,
                )
            )
        lines = b"content-length: %d\r\n%b" % (len(content), lines)
        return rest_of_answer(lines, content, name)


def _is_plain(headers: Headers) -> bool:
    """Whether the body is JSON as it stands; where that needs a second look, FastAPI takes it."""
    is_json = False
    for name, value in headers:
        if name == b"content-type":
            if is_json or len(value) > LONGEST_CONTENT_TYPE or not _is_json(value):
                return False
            is_json = True
        elif name in READ_BY_FASTAPI:
            return False
    return is_json


@lru_cache(maxsize=64)
def _is_json(content_type: bytes) -> bool:
    try:
        require_media_type(RequestHeaders(raw=[(b"content-type", content_type)]), JSON)
    except HTTPException:
        return False
    return True


def _targets(models: LoadedModels) -> dict[bytes, Target]:
    """Every address that has an answer, in the ways that it is usually written."""
    targets = {}
    for name in (None, *models.by_name):
        model = models.default if name is None else models.by_name[name]
        lines = b"content-type: %b\r\n%b: %b\r\n" % tuple(
            text.encode() for text in (JSON, MODEL_HEADER.lower(), model.identity)
        )
        for level in (None, *model.saved.model.interval.levels.tolist()):
            asked = {"model": name, "level": None if level is None else f"{level:g}"}
            query = urlencode({key: value for key, value in asked.items() if value is not None})
            address = f"{PATH}?{query}" if query else PATH
            chosen = Chosen(model, DEFAULT_LEVEL if level is None else level)
            targets[address.encode()] = Target(chosen, lines)
    return targets
