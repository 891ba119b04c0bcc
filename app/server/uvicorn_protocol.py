"""Run the app for the requests of a connection. Only this file uses uvicorn's private names.

uvicorn runs the app for one request at a time. Requests that arrive meanwhile wait in its
`pipeline`; `cycle` belongs to the request received last, `running` to the one being answered.
"""

import asyncio
from asyncio import Transport
from collections.abc import Callable
from typing import cast

from starlette.types import ASGIApp
from uvicorn._types import ASGI3Application  # the type of an app in uvicorn's signatures
from uvicorn.protocols.http.flow_control import (
    CLOSE_HEADER,  # is among the server's headers once it shuts down
    HIGH_WATER_LIMIT,  # bytes of a body that may wait for the app
    FlowControl,  # pauses and resumes reading from the socket, and the app's writing
)
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,  # the reason phrases, which vary with the Python version
    HttpToolsProtocol,  # turns the parser's callbacks into ASGI scopes
    RequestResponseCycle,  # the receive and send of one request
)

from app.http.headers import Headers
from app.http.problems import REASON_PHRASES
from app.observability.middleware import ABANDONED
from app.server.closing import LingeringTransport

MAX_UNREAD_BYTES = 16 * 1024  # of responses; beyond it, the app waits for the client to read

STATUS_LINE |= {
    status: b"HTTP/1.1 %d %b\r\n" % (status, phrase.encode())
    for status, phrase in REASON_PHRASES.items()
}


class ReadFlowControl(FlowControl):
    """Flow control that lets the protocol decide when to read on.

    uvicorn reads on after each response, and whenever the app waits for a body, no matter how many
    requests are waiting.
    """

    def __init__(self, transport: Transport, on_resume: Callable[[], None]) -> None:
        super().__init__(transport)
        self._on_resume = on_resume

    def resume_reading(self) -> None:
        if self.read_paused:
            self._on_resume()

    def read_on(self) -> None:
        """Resume reading from the socket."""
        super().resume_reading()


class UvicornProtocol(HttpToolsProtocol):
    """The half of a connection that runs the app."""

    transport: LingeringTransport  # type: ignore[assignment]  # has all methods that uvicorn calls
    flow: ReadFlowControl

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(MAX_UNREAD_BYTES)
        self.transport = LingeringTransport(transport, self.has_unread_request)
        self.flow = ReadFlowControl(transport, self.on_resume)
        self.running: RequestResponseCycle | None = None
        self._keep_alive = False
        self.responses_sent = 0

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.running is not None and not self.running.response_complete:
            self._abandon(self.running)  # uvicorn notifies only the last request of a pipeline
        # Break the reference cycles, so that the connection is freed at once.
        self.transport.detach()
        self.running = self.flow = None  # type: ignore[assignment]

    def has_unread_request(self) -> bool:
        """Return whether the client may still be sending a request that will not be answered."""
        raise NotImplementedError

    def on_resume(self) -> None:
        """Read on, unless earlier requests must be answered first."""
        raise NotImplementedError

    def choose_app(self, path: str) -> ASGIApp | None:
        """Return the app that answers a request to a path; None for the service itself."""
        raise NotImplementedError

    @property
    def app_is_responding(self) -> bool:
        """Whether the app has yet to complete its response to a request."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def app_has_unread_body(self) -> bool:
        """Whether the app must read more of a body before more may arrive."""
        return self.app_is_responding and len(self.cycle.body) > HIGH_WATER_LIMIT

    def start_app(self) -> None:
        """Start the app on the request whose head was parsed last."""
        super().on_headers_complete()
        # A response that starts before the whole body has arrived closes the connection.
        self._keep_alive, self.cycle.keep_alive = self.cycle.keep_alive, False

    def pass_body(self, body: bytes) -> None:
        """Pass a part of the body to the app."""
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def end_body(self) -> None:
        """Tell the app that the body is complete."""
        cycle = self.cycle
        cycle.more_body = False
        if self._keep_alive and not cycle.response_started:
            cycle.keep_alive = CLOSE_HEADER not in self.server_state.default_headers
        cycle.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.running = cycle
        if app is self.app and (other := self.choose_app(cycle.scope["path"])) is not None:
            app = cast("ASGI3Application", other)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        # As uvicorn's, without its timer for each idle connection; timeouts.py sweeps instead.
        self.server_state.total_requests += 1
        self.responses_sent += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def withdraw_from_app(self) -> bool:
        """Take back a request whose body is invalid; False if its response has started."""
        if self.pipeline:
            self.pipeline.popleft()
        elif self.cycle.response_started:
            return False
        else:
            self._abandon(self.cycle, is_rejected=True)
            self.running = None
        return True

    def respond_last(self, app: ASGIApp, method: str, path: bytes, headers: Headers) -> None:
        """Respond with another app after the requests before this one, then close."""
        asgi_app = cast("ASGI3Application", app)
        self.scope.update(
            {
                "method": method,
                "path": path.decode("latin-1"),
                "raw_path": path,
                "headers": headers,
            }
        )
        self.cycle = RequestResponseCycle(
            scope=self.scope,
            transport=cast("Transport", self.transport),
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        if self.running is None or self.running.response_complete:
            self._start_asgi_task(self.cycle, asgi_app)
        else:
            self.pipeline.appendleft((self.cycle, asgi_app))

    def _abandon(self, cycle: RequestResponseCycle, *, is_rejected: bool = False) -> None:
        """Tell the app that its response is no longer needed."""
        cycle.scope["state"][ABANDONED] = is_rejected
        cycle.disconnected = True
        cycle.message_event.set()
