"""Decide what answers each request: the fast path, load shedding, or the app.

The fast path answers valid rows for POST /predict. Load shedding answers 503 when the process is
overloaded. The app answers everything else, and every request that is unusual in some way.
"""

from asyncio import Transport
from time import perf_counter
from typing import TYPE_CHECKING, cast

from fastapi import Response
from starlette.types import ASGIApp

from app.access.policy import METRICS, PROBES
from app.http.problems import error_response, overloaded_response
from app.observability.metrics import count_buffer
from app.observability.middleware import RecordRequests
from app.server import fast_path
from app.server.load_shedding import shed_response
from app.server.request_head import (
    MALFORMED,
    Framing,
    ProtocolError,
    ProtocolViolationError,
    check_size,
    read_framing,
)
from app.server.request_reader import RequestReader, State
from app.server.timeouts import ConnectionTimeouts

if TYPE_CHECKING:
    from app.server.config import ServerConfig

MAX_COLLECTED_BYTES = 64 * 1024  # of a body that the app does not read; longer ones go to the app
BATCH_SUFFIXES = ("/batch", "/infer")
NEVER_SHED = PROBES | {METRICS}


class HTTPProtocol(RequestReader):
    """One connection."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        config = cast("ServerConfig", self.config)
        self.service = config.state
        self.fast_path = config.fast_path
        self.micro_batcher = config.micro_batcher
        self.load_shedder = config.load_shedder
        self.timeouts = ConnectionTimeouts(self)
        self._body = b""  # collected for the fast path
        self._shed_since = 0.0  # by perf_counter

    def connection_lost(self, exc: Exception | None) -> None:
        if self.state is State.FAST_BODY:
            self._start_app_with_body()  # which records that the client has gone
        super().connection_lost(exc)
        self.timeouts = None  # type: ignore[assignment]  # breaks a reference cycle

    # State, for the timeouts and the shutdown

    @property
    def idle(self) -> bool:
        """Whether the last request is answered and nothing has arrived since."""
        return self.state is State.IDLE

    @property
    def responding(self) -> bool:
        """Whether a response is under way."""
        return self.state is State.PENDING or self.app_is_responding

    @property
    def receiving_body(self) -> bool:
        """Whether the client must send more of a body."""
        if self.state is State.APP_BODY:
            return self.app_is_responding and not self.flow.read_paused
        return self.state in (State.FAST_BODY, State.SHED_BODY)

    @property
    def awaits_client(self) -> bool:
        """Whether the client must send a request, or the rest of one, to get a response."""
        return self.state is State.APP_BODY or not self.responding

    @property
    def in_flight(self) -> int:
        """How many requests have begun to arrive and are not yet answered."""
        return max(self.requests_started - self.responses_sent, 0)  # a 408 may precede any request

    # The parser's callbacks

    def on_message_begin(self) -> None:
        if self.state is State.PENDING:
            self.micro_batcher.flush()  # responses go out in the order of requests
        if self.transport.is_closing():  # after that response: parse nothing more
            raise ProtocolViolationError(MALFORMED)
        super().on_message_begin()
        self.state = State.HEAD
        self.requests_started += 1

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise ProtocolViolationError(MALFORMED)
            return  # it is parsed again
        check_size(self.url, self.headers, self.head_bytes)
        framing = read_framing(self.parser.get_http_version(), self.headers)
        self.content_left = framing.content_length
        if self._is_left_to_app(framing):
            self.start_app()
            return
        path = self.url.partition(b"?")[0]
        if path == fast_path.PATH:
            is_shed = self.load_shedder.is_overdue()
        else:
            is_shed = self._is_plain_target() and self._should_shed(path.decode())
        if is_shed:
            self.state, self._shed_since = State.SHED_BODY, perf_counter()
        elif path == fast_path.PATH:
            self.state, self._body = State.FAST_BODY, b""
        else:
            self.start_app()

    def _is_left_to_app(self, framing: Framing) -> bool:
        """Whether the request is unusual, or its response may have to wait for something."""
        return (
            self.parser.get_method() != fast_path.METHOD
            or self.in_flight > 1
            or framing.content_length > MAX_COLLECTED_BYTES
            or framing.is_chunked
            or framing.is_http_1_0
            or self.expect_100_continue
            or self.flow.write_paused
            or not self.parser.should_keep_alive()
            or self.service.draining
        )

    def _is_plain_target(self) -> bool:
        """Whether the path of the target needs no decoding."""
        url = self.url
        return url.startswith(b"/") and url.isascii() and b"%" not in url and b"#" not in url

    def on_body(self, body: bytes) -> None:
        self.head_bytes = 0
        self.content_left -= len(body)
        if self.state is State.FAST_BODY:
            self._body += body
        elif self.state is State.APP_BODY:
            self.pass_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self.head_bytes = 0
        if self.state is State.FAST_BODY:
            self._submit()
        elif self.state is State.SHED_BODY:
            self.state = State.COMPLETE
            self._shed()
        else:
            self.end_body()

    # Responses without the app

    def _submit(self) -> None:
        """Hand a complete request to the fast path."""
        pending = self.fast_path.parse(
            fast_path.METHOD, self.url, self.headers, self._body, self.client and self.client[0]
        )
        if pending is None:
            self._start_app_with_body()
            self.end_body()
            return
        self.load_shedder.admit()
        if pending.can_wait:
            self.state = State.PENDING
            self.micro_batcher.submit(self, pending)
        else:
            self.state = State.COMPLETE
            (response,) = self.fast_path.respond([pending], self.server_state.default_headers)
            self.send_fast_response(response)

    def send_fast_response(self, response: bytes | None) -> None:
        """Send a response of the fast path; None starts the app on the request."""
        if self.transport.is_closing():
            return
        if response is None:
            self._start_app_with_body()
            self.end_body()
        else:
            self._send(response)
            count_buffer.flush_soon()

    def _shed(self) -> None:
        client = self.client and self.client[0]
        seconds = perf_counter() - self._shed_since
        headers = self.server_state.default_headers
        log = self.service.access_log
        self._send(shed_response(self.url, self.headers, client, seconds, headers, log))

    def _send(self, response: bytes) -> None:
        """Send a whole response."""
        self.transport.write_response(response)
        self.server_state.total_requests += 1
        self.responses_sent += 1
        self.responded_while_parsing = True
        if self.is_half_closed or self.service.draining:
            self.transport.close()
        self.forget_head()
        self.state = State.IDLE

    # Responses by the app

    def start_app(self) -> None:
        super().start_app()
        self.state = State.APP_BODY
        self.forget_head()

    def _start_app_with_body(self) -> None:
        """Start the app on a request whose body was collected, as far as it has arrived."""
        self.start_app()
        if self._body:
            self.pass_body(self._body)
        self._body = b""

    def end_body(self) -> None:
        super().end_body()
        self.state = State.COMPLETE

    def choose_app(self, path: str) -> ASGIApp | None:
        """Shed a request that waited while earlier ones took too long."""
        if path in NEVER_SHED:
            return None
        if self._should_shed(path):
            return self._recorded(overloaded_response(path))
        self.load_shedder.admit(is_batch=path.endswith(BATCH_SUFFIXES))
        return None

    def _should_shed(self, path: str) -> bool:
        return path not in NEVER_SHED and self.load_shedder.should_shed(
            is_batch=path.endswith(BATCH_SUFFIXES)
        )

    def _recorded(self, response: Response) -> ASGIApp:
        """Return an app that sends a response, which is counted and logged as any other."""
        return RecordRequests(response, self.service.access_log)

    def on_response_complete(self) -> None:
        if self.state is State.COMPLETE and not self.pipeline:
            self.state = State.IDLE
        super().on_response_complete()
        if self.is_half_closed and not self.responding and not self.transport.is_closing():
            self.transport.close()

    # Shutdown and rejection

    def shutdown(self) -> None:
        """Close once every request that has begun to arrive is answered."""
        if self.state is State.SHED_BODY:
            self._shed()
        elif self.app_is_responding or not self.in_flight:
            super().shutdown()

    def reject(self, error: ProtocolError) -> None:
        """Answer with an error after the requests before this one, and parse nothing more."""
        if self.state is State.PENDING:
            self.micro_batcher.flush()
        if self.transport.is_closing():
            return
        if self.state is State.APP_BODY:
            scope = self.scope
            method, path, headers = scope["method"], scope["raw_path"], [*scope["headers"]]
            is_withdrawn = self.withdraw_from_app()
        else:
            path, headers = self.url.partition(b"?")[0], self.headers
            method = self.parser.get_method().decode() if path else ""
            is_withdrawn = True
        self.unparsed = memoryview(b"")
        self.flow.pause_reading()
        super().on_message_begin()  # makes a new scope, and does not count another request
        self.state = State.REJECTED
        if not is_withdrawn:
            self.transport.close()  # in the middle of the response, so that the client notices
            return
        response = error_response(path.decode("latin-1"), error.status, error.detail)
        self.respond_last(self._recorded(response), method, path, headers)
