"""HTTP/1.1 with limits on what a client may send, leave unread or keep open.

uvicorn has no such limits. A request that violates one is answered in its turn, after the requests
before it; then the connection closes, because nobody knows where the next request would begin.

One row for POST /predict, and requests that are shed, are answered without the app. Whatever is
unusual about a request or its connection is left to the app.
"""

from asyncio import Transport
from enum import Enum, auto
from time import perf_counter
from typing import TYPE_CHECKING, cast

import httptools
from fastapi import Response
from starlette.types import ASGIApp

from app.access.policy import METRICS, PROBES
from app.http.problems import error_response, overloaded_response
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
from app.server.timeouts import ConnectionTimeouts
from app.server.uvicorn_protocol import UvicornProtocol

if TYPE_CHECKING:
    from app.server.config import ServerConfig

# Parsed at a time between requests (a few dozen of the smallest) and within a request. A body of
# known length is parsed at once as far as it was read; the event loop reads at most 256 KB.
BETWEEN_BYTES, WITHIN_BYTES = 1024, 4096
MAX_COLLECTED_BYTES = 64 * 1024  # of a body that the app does not read; longer ones go to the app
BATCH_SUFFIXES = ("/batch", "/infer")
NEVER_SHED = PROBES | {METRICS}


class State(Enum):
    """What has become of the request received last; earlier ones may still be with the app."""

    IDLE = auto()  # answered, or none received yet
    HEAD = auto()  # its head is arriving
    FAST_BODY = auto()  # its body is collected for the fast path
    SHED_BODY = auto()  # its body is discarded; then the response is 503
    APP_BODY = auto()  # its body is arriving and passed to the app
    PENDING = auto()  # complete; the micro-batch holds it
    COMPLETE = auto()  # complete; the app responds to it
    REJECTED = auto()  # invalid: nothing more is parsed, and the connection closes


class HTTPProtocol(UvicornProtocol):
    """One connection."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        config = cast("ServerConfig", self.config)
        self.service = config.state
        self.fast_path = config.fast_path
        self.micro_batcher = config.micro_batcher
        self.load_shedder = config.load_shedder
        self.state = State.IDLE
        self.timeouts = ConnectionTimeouts(self)
        self.url = b""
        self.headers = []
        self.unparsed = memoryview(b"")
        self.head_bytes = 0  # parsed since the last complete head or piece of a body
        self._content_left = 0  # bytes of the body that are still to arrive, if that is known
        self._body = b""  # collected for the fast path
        self._shed_since = 0.0  # by perf_counter
        self._responded_while_parsing = False
        self._is_half_closed = False  # the client sends nothing more, but reads
        self.bytes_received = 0
        self.requests_started = 0

    def connection_lost(self, exc: Exception | None) -> None:
        self.unparsed = memoryview(b"")
        if self.state is State.FAST_BODY:
            self._start_app_with_body()  # which records that the client has gone
        super().connection_lost(exc)
        self.timeouts = None  # type: ignore[assignment]  # breaks a reference cycle

    # What timeouts and shutdown ask

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
        """Whether the client is to send more of a body."""
        if self.state is State.APP_BODY:
            return self.app_is_responding and not self.flow.read_paused
        return self.state in (State.FAST_BODY, State.SHED_BODY)

    @property
    def awaits_client(self) -> bool:
        """Whether the client is to send a request, or the rest of one."""
        return self.state is State.APP_BODY or not self.responding

    @property
    def in_flight(self) -> int:
        """How many requests have begun to arrive and are not yet answered."""
        return self.requests_started - self.responses_sent

    # Reading

    def data_received(self, data: bytes) -> None:
        self.bytes_received += len(data)
        if self.transport.lingering:
            self.transport.discard(data)
            return
        if self.state is State.IDLE:
            self.state = State.HEAD
        if len(data) <= BETWEEN_BYTES:
            self._parse(data)
        else:
            self.unparsed = memoryview(data)
            self.parse_unparsed()

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio declares it
        """Stay open for a response that is still to be sent, and for nothing else."""
        self._is_half_closed = True
        return not self.awaits_client

    def parse_unparsed(self) -> None:
        """Parse what was read, as far as requests before it permit; then read on."""
        self._responded_while_parsing = False
        while self.unparsed and self._accepts_input():
            if self._responded_while_parsing:  # let other connections have their turn
                self.loop.call_soon(self.parse_unparsed)
                break
            is_within = self.state is State.APP_BODY
            size = max(WITHIN_BYTES if is_within else BETWEEN_BYTES, self._content_left)
            part, self.unparsed = self.unparsed[:size], self.unparsed[size:]
            self._parse(part)
        if self.unparsed:
            self.flow.pause_reading()
        elif self._accepts_input():
            self.flow.resume_reading()

    def on_resume(self) -> None:
        """Read on, unless earlier requests must be answered first."""
        if self.pipeline or self.state is State.REJECTED:
            return
        if self.unparsed:
            self.loop.call_soon(self.parse_unparsed)
        else:
            self.flow.read_on()

    def _accepts_input(self) -> bool:
        return not (
            self.state is State.REJECTED
            or self.pipeline
            or self.transport.is_closing()
            or self.app_has_unread_body
        )

    def has_unread_request(self) -> bool:
        """Return whether the client still sends what will not be answered."""
        if self.running is not None and not self.running.response_complete:
            return False  # the response is cut off, which must show
        return self.state in (State.SHED_BODY, State.APP_BODY, State.REJECTED) or bool(
            self.pipeline or self.unparsed
        )

    def _parse(self, part: bytes | memoryview) -> None:
        self.head_bytes += len(part)
        rest: bytes | None = None
        try:
            self.parser.feed_data(part)
            if self.head_bytes or self.headers:  # a head or trailers may never end
                check_size(self.url, self.headers, self.head_bytes)
        except httptools.HttpParserUpgrade as upgrade:
            rest = bytes(part[upgrade.args[0] :])
        except ProtocolViolationError as violation:
            self.reject(violation.response)
        except httptools.HttpParserError as error:  # wraps what a callback raises
            cause = error.__context__
            self.reject(cause.response if isinstance(cause, ProtocolViolationError) else MALFORMED)
        if rest is not None:
            self._parse_without_upgrade(rest)

    def _parse_without_upgrade(self, rest: bytes) -> None:
        """Parse a request again without its Upgrade header, which a server may ignore.

        The parser reads no body of such a request, and would take it for the next request. Java's
        HttpClient and `curl --http2` offer h2c with every first request.
        """
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.requests_started -= 1  # the parser counts it again
        self.head_bytes = 0
        self._parse(b"\r\n".join([*lines, b"", rest]))

    # The parser's callbacks

    def on_message_begin(self) -> None:
        if self.state is State.PENDING:
            self.micro_batcher.flush()  # responses go out in the order of requests
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
        self._content_left = framing.content_length
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
        """Whether the response may have to wait, or is not the usual one."""
        return (
            self.parser.get_method() != fast_path.METHOD
            or self.app_is_responding
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
        self._content_left -= len(body)
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
        self._responded_while_parsing = True
        if self._is_half_closed or self.service.draining:
            self.transport.close()
        self.headers = []
        self.head_bytes = 0
        self.state = State.IDLE

    # Responses by the app

    def start_app(self) -> None:
        super().start_app()
        self.state = State.APP_BODY
        self.headers = []  # for trailers, which are no headers
        self.head_bytes = 0

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
        if self._is_half_closed and not self.responding and not self.transport.is_closing():
            self.transport.close()

    # The end

    def shutdown(self) -> None:
        """Close as soon as every request that has begun to arrive is answered."""
        if self.state is State.SHED_BODY:
            self._shed()
        elif self.app_is_responding or not self.in_flight:
            super().shutdown()

    def reject(self, error: ProtocolError) -> None:
        """Answer with an error after the requests before this one, and parse nothing more."""
        if self.state is State.PENDING:
            self.micro_batcher.flush()
        target, headers = self.url, self.headers
        if self.state is State.APP_BODY:
            method, headers = self.scope["method"], list(self.scope["headers"])
            is_withdrawn = self.withdraw_from_app()
        else:
            method, is_withdrawn = self.parser.get_method().decode() if target else "", True
        self.unparsed = memoryview(b"")
        self.flow.pause_reading()
        self.on_message_begin()  # makes a new scope
        self.state = State.REJECTED
        if not is_withdrawn:
            self.transport.close()  # in the middle of the response, so that the client notices
            return
        path = target.partition(b"?")[0]
        response = error_response(path.decode("latin-1"), error.status, error.detail)
        self.respond_last(self._recorded(response), method, path, headers)
