"""Record every request: its id, which goes out with the answer, its count, its line in the log."""

from collections.abc import Awaitable
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.record.access_log import AccessLog, Answered
from app.record.request_id import request_id
from app.response_headers import complete
from app.telemetry import count_request

UNMATCHED = "unmatched"


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
            seconds = perf_counter() - started
            route = _template(scope)
            count_request(scope["method"], route, answered.status, seconds)
            if self.log is not None:
                self.log.add(scope, None if route == UNMATCHED else route, answered, seconds)


def _template(scope: Scope) -> str:
    """The address as it is declared: what the router found, or the mount, or neither."""
    if "route" in scope:
        path: str = scope["route"].path
        return path
    return str(scope["root_path"]) if "endpoint" in scope else UNMATCHED
