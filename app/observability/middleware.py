"""Count and log every request, and give its response the request ID."""

from collections.abc import Awaitable
from dataclasses import dataclass
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.headers import MODEL_HEADER, Headers, complete_headers, request_id
from app.observability.access_log import AccessLog, Line
from app.observability.metrics import count_request

UNMATCHED = "unmatched"  # the route label of a request that matches no route
CLIENT_CLOSED_REQUEST = 499  # nginx's status of a request whose client disconnected
ABANDONED = "abandoned"
"""The key in a scope's state under which the server notes that the client gets no response.

Its value is true when the server has already recorded the request as rejected.
"""

_model_header = MODEL_HEADER.lower().encode()


@dataclass(slots=True)
class ResponseSummary:
    """The parts of a response that are counted and logged."""

    status: int
    headers: Headers | None = None  # None until it starts
    body_bytes: int = 0


class RecordRequests:
    """Counts and logs requests; HEAD is handled and recorded as GET.

    Load balancers and `curl -I` send HEAD. uvicorn leaves out the body of its response.
    """

    def __init__(self, app: ASGIApp, log: AccessLog | None) -> None:
        self.app = app
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and record it when its response is complete."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        started = perf_counter()
        state = scope.setdefault("state", {})  # test clients may send none
        state["request_id"] = request_id(scope["headers"])
        summary = ResponseSummary(status=500)  # sent if the app fails before it responds

        def send_and_summarize(message: Message) -> Awaitable[None]:
            if ABANDONED in state:  # nobody receives it
                return send(message)
            if message["type"] == "http.response.start":
                summary.status = message["status"]
                summary.headers = message.get("headers", [])
                message["headers"] = complete_headers(summary.headers, state["request_id"])
            else:
                summary.body_bytes += len(message.get("body", b""))
            return send(message)

        try:
            await self.app(scope, receive, send_and_summarize)
        finally:
            abandoned = summary.headers is None and ABANDONED in state
            if abandoned:
                summary.status = CLIENT_CLOSED_REQUEST
            if not (abandoned and state[ABANDONED]):
                self._record(scope, summary, perf_counter() - started)

    def _record(self, scope: Scope, summary: ResponseSummary, seconds: float) -> None:
        route = _route(scope)
        count_request(scope["method"], route, summary.status, seconds)
        if self.log is not None:
            self.log.add(_line(scope, route, summary, seconds))


def _route(scope: Scope) -> str:
    """Return the template of the route that matched, the path of the mount, or UNMATCHED."""
    if "route" in scope:
        path: str = scope["route"].path
        return path
    return str(scope["root_path"]) if "endpoint" in scope else UNMATCHED


def _line(scope: Scope, route: str, summary: ResponseSummary, seconds: float) -> Line:
    state, client = scope["state"], scope.get("client")
    return Line(
        client=client and client[0],
        method=scope["method"],
        headers=scope["headers"],
        request_id=state["request_id"],
        status=summary.status,
        seconds=seconds,
        size=summary.body_bytes,
        route=None if route == UNMATCHED else route,
        path=scope.get("raw_path") or scope["path"].encode(),
        model=_model(summary.headers or []),
        key=state.get("key_name"),
    )


def _model(headers: Headers) -> str | None:
    for name, value in headers:
        if name == _model_header:
            return value.decode()
    return None
