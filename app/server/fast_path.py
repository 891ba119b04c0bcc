"""The short way of POST /predict: the bytes of a request in, the bytes of its answer out.

What FastAPI does for a request costs several times what a prediction does. This way has no rule of
its own: it admits by the access policy, validates by the schema of `POST /predict`, answers by the
same function, counts in the same series, tells the same log. What it cannot answer with 200 it
leaves to FastAPI, which knows why. A test sends the same requests both ways and compares every
byte.

Requests that come in the same turn of the event loop are answered together by a model that answers
several in less time, to the same bits.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from time import perf_counter
from typing import NamedTuple
from urllib.parse import urlencode

from fastapi import HTTPException
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.datastructures import Headers as RequestHeaders

from app.http.bodies import MAX_CONTENT_TYPE_LENGTH, require_media_type
from app.http.headers import MODEL_HEADER, Headers, request_id
from app.http.media_types import JSON
from app.inference.registry import Chosen, LoadedModels
from app.inference.row_parser import HouseFeatures, to_numbers
from app.inference.scored import prediction_json
from app.observability.access_log import Line
from app.observability.metrics import RowsAnswered
from app.server.response_bytes import rest_of_answer
from app.state import AppState
from models.features import FEATURES
from models.house_price import RowPrediction
from models.interval import DEFAULT_LEVEL

PATH = "/predict"
MEMBERS = len(FEATURES)
MAX_MICRO_BATCH = 32  # questions; with more, a model is no faster, and others wait
READ_BY_FASTAPI = frozenset({b"content-encoding", b"transfer-encoding"})

_validate = HouseFeatures.__pydantic_validator__.validate_json


class Target(NamedTuple):
    """What an address asks for, with the headers of its answer."""

    chosen: Chosen
    lines: bytes
    together: bool
    """Whether questions of the same turn are answered together."""


@dataclass(slots=True)
class PendingPrediction:
    """A request that is right."""

    target: Target
    row: list[float]
    headers: Headers
    client: str | None
    key_name: str | None
    since: float  # by perf_counter
    reply: Callable[[bytes | None], None]


class FastPath:
    """Answers requests from their bytes, with the models that are loaded at that moment."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._log = state.access_log
        self._models: LoadedModels | None = None
        self._targets: dict[bytes, Target] = {}
        self._waiting: list[PendingPrediction] = []
        self._answered = RowsAnswered("POST", PATH)

    def knows(self, target: bytes) -> bool:
        """Whether requests to an address with its query, as it came, may be answered here."""
        if self._models is not self._state.models:
            self._models = self._state.models
            self._targets = _targets(self._state.models)
        return target in self._targets

    def ask(
        self,
        target: bytes,
        headers: Headers,
        body: bytes,
        client: str | None,
        reply: Callable[[bytes | None], None],
    ) -> PendingPrediction | None:
        """The question that a request puts; None where FastAPI is to answer.

        The target is one that is known. The reply takes the rest of an answer of status 200, after
        the server's own headers; or None where FastAPI is to answer after all.
        """
        since = perf_counter()
        if body.count(b":") != MEMBERS:  # with more than the eight, one came twice
            return None
        visitor = self._state.access.authenticate(headers)
        if visitor is None or not _is_plain(headers):
            return None
        try:
            row = to_numbers(_validate(body))
        except ValidationError:
            return None
        asked = self._targets[target]
        return PendingPrediction(asked, row, headers, client, visitor.key_name, since, reply)

    def answer(self, question: PendingPrediction) -> None:
        """Reply, by the end of this turn of the event loop."""
        if not question.target.together:
            self._reply([question])
            return
        self._waiting.append(question)
        if len(self._waiting) == MAX_MICRO_BATCH:
            self.settle()

    def settle(self) -> None:
        """Reply to all who wait."""
        waiting, self._waiting = self._waiting, []
        alike: defaultdict[tuple[str, float], list[PendingPrediction]] = defaultdict(list)
        for question in waiting:
            chosen = question.target.chosen
            alike[chosen.model.identity, chosen.level].append(question)
        for questions in alike.values():
            self._reply(questions)

    def end_turn(self) -> None:
        """Reply to all who wait, and count what was answered."""
        self.settle()
        self._answered.count()

    def _reply(self, questions: list[PendingPrediction]) -> None:
        """Reply to some that ask the same model for the same level."""
        chosen = questions[0].target.chosen
        rows = [question.row for question in questions]
        rests: list[bytes | None]
        try:
            answers = chosen.model.saved.model.predict_rows(rows, chosen.level)
            rests = [*map(self._rest, questions, answers)]
        except Exception:  # FastAPI answers each by itself, and tells what failed
            rests = [None] * len(questions)
        for question, rest in zip(questions, rests, strict=True):
            question.reply(rest)

    def _rest(self, question: PendingPrediction, answer: RowPrediction) -> bytes | None:
        """The rest of an answer, which is counted and told the log; None of one that is none."""
        if not isfinite(answer.prediction):
            return None
        chosen, headers = question.target.chosen, question.headers
        model = chosen.model.identity
        content = to_json(prediction_json(answer, chosen.level, model))
        seconds = perf_counter() - question.since
        self._answered.add(chosen.model, question.row, answer, seconds)
        name = request_id(headers)
        if self._log is not None:
            self._log.add(
                Line(
                    *(question.client, "POST", headers, name, 200, seconds, len(content)),
                    route=PATH,
                    model=model,
                    key=question.key_name,
                )
            )
        lines = b"content-length: %d\r\n%b" % (len(content), question.target.lines)
        return rest_of_answer(lines, content, name)


def _is_plain(headers: Headers) -> bool:
    """Whether the body is JSON as it stands; where that needs a second look, FastAPI takes it."""
    is_json = False
    for name, value in headers:
        if name == b"content-type":
            if is_json or len(value) > MAX_CONTENT_TYPE_LENGTH or not _is_json(value):
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
        together = model.saved.model.is_batch_invariant
        for level in (None, *model.saved.model.interval.levels.tolist()):
            asked = {"model": name, "level": None if level is None else f"{level:g}"}
            query = urlencode({key: value for key, value in asked.items() if value is not None})
            address = f"{PATH}?{query}" if query else PATH
            chosen = Chosen(model, DEFAULT_LEVEL if level is None else level)
            targets[address.encode()] = Target(chosen, lines, together)
    return targets
