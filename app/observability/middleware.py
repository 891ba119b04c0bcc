"""Record every request: its id, which goes out with the answer, its count, its line in the log."""

from collections.abc import Awaitable
from dataclasses import dataclass
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.headers import Headers, complete
from app.http.model_header import MODEL_HEADER
from app.http.request_id import request_id
from app.observability.access_log import AccessLog, Line
from app.observability.metrics import count_request

UNMATCHED = "unmatched"
CLIENT_GONE = 499  # nginx's name for an answer that nobody waits for
ABANDONED = "abandoned"
"""In a scope's state, where nobody waits for the answer any more: whether the server has refused
the request meanwhile, which is recorded in place of it."""
model_header = MODEL_HEADER.lower().encode()


@dataclass(slots=True)
class Answered:
    """What is remembered of an answer while it is sent."""

    status: int
    headers: Headers | None = None
    bytes: int = 0  # of the body


class RecordRequests:
    """Records what the app answers; costs a few microseconds a request."""

    def __init__(self, app: ASGIApp, log: AccessLog | None) -> None:
        self.app = app
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and record it when it is answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        state = scope.setdefault("state", {})  # a test's client may bring none
        state["request_id"] = name = request_id(scope["headers"])
        # What is answered for an app that fails before it answers.
        answered = Answered(status=500)

        def send_and_remember(message: Message) -> Awaitable[None]:
            if ABANDONED in state:  # it goes nowhere
                return send(message)
            if message["type"] == "http.response.start":
                answered.status = message["status"]
                answered.headers = message.get("headers", [])
                message["headers"] = complete(answered.headers, name)
            else:
                answered.bytes += len(message.get("body", b""))
            return send(message)

        try:
            await self.app(scope, receive, send_and_remember)
        finally:
            is_unheard = answered.headers is None and ABANDONED in state
            if is_unheard:
                answered.status = CLIENT_GONE
            if not (is_unheard and state[ABANDONED]):
                self._record(scope, answered, perf_counter() - started)

    def _record(self, scope: Scope, answered: Answered, seconds: float) -> None:
        route = _template(scope)
        count_request(scope["method"], route, answered.status, seconds)
        if self.log is not None:
            self.log.add(_line(scope, route, answered, seconds))


def _template(scope: Scope) -> str:
    """The address as it is declared: what the router found, or the mount, or neither."""
    if "route" in scope:
        path: str = scope["route"].path
        return path
    return str(scope["root_path"]) if "endpoint" in scope else UNMATCHED


def _line(scope: Scope, route: str, answered: Answered, seconds: float) -> Line:
    state, client = scope["state"], scope.get("client")
    return Line(
        client=client and client[0],
        method=scope["method"],
        headers=scope["headers"],
        request_id=state["request_id"],
        status=answered.status,
        seconds=seconds,
        size=answered.bytes,
        route=None if route == UNMATCHED else route,
        path=scope.get("raw_path") or scope["path"].encode(),
        model=_model(answered.headers or []),
        key=state.get("key_name"),
    )


def _model(headers: Headers) -> str | None:
    for name, value in headers:
        if name == model_header:
            return value.decode()
    return None
