"""HTTP/1.1 as uvicorn speaks it, with a limit to what a client may send, leave unread or hold open.

uvicorn has none of its own. Where it can still be, a refusal is an answer in its turn: what came
before it is answered first. After it the connection closes, for nobody knows where in such a stream
the next request would begin.
"""

import asyncio
import re
from asyncio import Transport
from typing import TYPE_CHECKING, cast

import httptools
from fastapi import Response
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import CLOSE_HEADER, HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from app.access.public_paths import METRICS, PROBES
from app.http.headers import Headers
from app.http.problems import error_response, overloaded_response
from app.http.reason_phrases import RENAMED
from app.inference.scheduler import is_saturated
from app.observability.middleware import ABANDONED, RecordRequests
from app.server.closing import LingeringTransport
from app.server.protocol_errors import (
    LARGE_HEADERS,
    LONG_TARGET,
    MALFORMED,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_LINE_BYTES,
    MAX_TARGET_BYTES,
    NO_HOST,
    ProtocolError,
    ProtocolViolationError,
)
from app.server.read_flow_control import ReadFlowControl
from app.server.timeouts import ConnectionTimeouts

if TYPE_CHECKING:
    from app.server.config import ServerConfig

# Parsed at a time between requests, a few dozens of the smallest; and within one. Of a body whose
# length is known, all that was read, of which the event loop reads 256 KB at most.
REQUESTS_BYTES, PART_BYTES = 1024, 4096
BATCH_SUFFIXES = ("/batch", "/infer")  # ends of addresses
NEVER_SHED = PROBES | {METRICS}  # also when requests are turned away
MAX_UNPARSED_BYTES = MAX_LINE_BYTES + MAX_HEADER_BYTES + PART_BYTES

MAX_UNREAD_BYTES = 16 * 1024  # of answers; beyond it, the app waits for the client to read
HOST = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[\w.~%-]{1,255})(:\d{0,5})?")  # what a URL can hold

# uvicorn takes its reason phrases from the Python version.
STATUS_LINE |= {
    status: b"HTTP/1.1 %d %b\r\n" % (status, RENAMED[status].encode()) for status in RENAMED
}


class StrictProtocol(HttpToolsProtocol):
    """One connection."""

    transport: LingeringTransport  # type: ignore[assignment]  # has all that uvicorn uses of one

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(MAX_UNREAD_BYTES)
        self.transport = LingeringTransport(transport, self._is_cut_short)
        self.flow = ReadFlowControl(transport, self)
        self.url = b""
        self.headers = []
        self.held = memoryview(b"")  # what was read and is not yet to be parsed
        self.unfinished = 0  # bytes that were parsed and have made neither a head nor a body
        self.is_refused = False
        self._may_be_kept = False
        self.is_chunked = False
        self.is_old = False  # HTTP/1.0
        self.body_left = 0  # bytes of the body that are still to come, where that is known
        self._host: bytes | None = None  # the last one that was accepted
        self.running: RequestResponseCycle | None = None  # the one that is being answered
        self.received = 0  # bytes
        self.begun = self.answered = 0  # requests
        self.is_quiet = False  # since an answer
        self.patience = ConnectionTimeouts(self)
        config = cast("ServerConfig", self.config)
        self.state = config.state
        self.turn = config.load_shedder
        self.has_answered = False  # without the app, since it began to parse
        self.is_half_closed = False  # by the client, who still reads

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.held = memoryview(b"")
        if self.running is not None and not self.running.response_complete:
            self._abandon(self.running)  # uvicorn tells only the last of a pipeline
        self.transport.let_go()  # with what refers to this one, which is then freed at once
        self.running = self.flow = self.patience = None  # type: ignore[assignment]

    # What comes

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it
        """Stay open for an answer that is still to be sent, and for nothing else."""
        self.is_half_closed = True
        return not self.awaits_client()

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.is_quiet = False
        if self.transport.lingers:
            self.transport.drop(data)
            return
        if len(data) <= REQUESTS_BYTES:
            self.has_answered = False
            self._feed(data)
        else:
            self.held = memoryview(data)
            self.feed_held()

    def feed_held(self) -> None:
        """Parse what is held, as far as it may be; then read on."""
        self.has_answered = False
        while self.held and self._takes_more():
            if self.has_answered:  # other connections have their turn
                self.loop.call_soon(self.feed_held)
                break
            part_bytes = REQUESTS_BYTES if self._is_between_requests() else PART_BYTES
            size = max(part_bytes, self.body_left)
            part, self.held = self.held[:size], self.held[size:]
            self._feed(part)
        if self.held:
            self.flow.pause_reading()
        elif self._takes_more():
            self.flow.resume_reading()

    def _is_between_requests(self) -> bool:
        return self.cycle is None or not self.cycle.more_body

    def _takes_more(self) -> bool:
        return not (
            self.is_refused
            or self.pipeline
            or self.transport.is_closing()
            or self._has_unread_body()
        )

    def answers(self) -> bool:
        """Whether a request is being answered, or will be as soon as it is whole."""
        return self.cycle is not None and not self.cycle.response_complete

    def awaits_client(self) -> bool:
        """Whether the client is to send a request, or the rest of one."""
        return not self.answers() or self.cycle.more_body

    def takes_body(self) -> bool:
        """Whether more of a body is waited for."""
        return self.answers() and self.cycle.more_body and not self.flow.read_paused

    def _has_unread_body(self) -> bool:
        """Whether the app is to take some of a body first: not one that it has answered already."""
        return self.answers() and len(self.cycle.body) > HIGH_WATER_LIMIT

    def _feed(self, part: bytes | memoryview) -> None:
        self.unfinished += len(part)
        upgraded_at = None
        try:
            self.parser.feed_data(part)
        except httptools.HttpParserUpgrade as upgrade:
            upgraded_at = upgrade.args[0]
        except httptools.HttpParserError as error:
            cause = error.__context__
            self.refuse(cause.refusal if isinstance(cause, ProtocolViolationError) else MALFORMED)
            return
        if upgraded_at is not None:
            self._read_without_upgrade(bytes(part[upgraded_at:]))
            return
        if (self.unfinished or self.headers) and (excess := self._excess()):
            self.refuse(excess)

    def _excess(self) -> ProtocolError | None:
        """The refusal of a head or of trailers that are too large already; they may never end."""
        if len(self.url) > MAX_TARGET_BYTES:
            return LONG_TARGET
        if len(self.headers) > MAX_HEADERS or self.unfinished > MAX_UNPARSED_BYTES:
            return LARGE_HEADERS
        if self.unfinished > MAX_HEADER_BYTES - PART_BYTES:  # may be too large: add up
            size = sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)
            return LARGE_HEADERS if size > MAX_HEADER_BYTES else None
        return None

    def _read_without_upgrade(self, rest: bytes) -> None:
        """Read a request again without its Upgrade, which a server may ignore.

        The parser reads no body of such a request, and would take it for the next request. Java's
        HttpClient and `curl --http2` offer h2c with every first request.
        """
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.begun -= 1
        self.unfinished = 0
        self._feed(b"\r\n".join([*lines, b"", rest]))

    # What the parser tells

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.begun += 1

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise ProtocolViolationError(MALFORMED)
            return  # it is read again
        if refusal := self._excess() or self._misframed():
            raise ProtocolViolationError(refusal)
        self.begin()

    def begin(self) -> None:
        """Let the app answer, from here on."""
        super().on_headers_complete()
        # An answer that comes before all of the body closes, and says so.
        self._may_be_kept, self.cycle.keep_alive = self.cycle.keep_alive, False
        self.headers = []  # for trailers, which are not to be taken for headers
        self.unfinished = 0

    def _misframed(self) -> ProtocolError | None:
        """The refusal of a head that another server on the way may have read otherwise."""
        hosts, codings = [], []
        self.body_left = 0
        for name, value in self.headers:
            if name == b"host":
                hosts.append(value)
            elif name == b"content-length":
                self.body_left = int(value)  # the parser has looked at it
            elif name == b"transfer-encoding":
                codings.append(value.lower())
        self.is_chunked = bool(codings)
        version = self.parser.get_http_version()
        self.is_old = version == "1.0"
        if version not in ("1.1", "1.0") or codings not in ([], [b"chunked"]):
            return MALFORMED
        if self.is_old and codings:
            return MALFORMED
        if len(hosts) != 1:
            return None if self.is_old and not hosts else NO_HOST
        return self._misnamed(hosts[0])

    def _misnamed(self, host: bytes) -> ProtocolError | None:
        if host != self._host:  # it is the same in every request, as a rule
            if not HOST.fullmatch(host):
                return NO_HOST
            self._host = host
        return None

    def on_body(self, body: bytes) -> None:
        # as uvicorn does, without its questions about WebSockets
        self.unfinished = 0
        self.body_left -= len(body)
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self.unfinished = 0
        cycle = self.cycle
        cycle.more_body = False  # also where it was answered before
        if self._may_be_kept and not cycle.response_started:
            cycle.keep_alive = CLOSE_HEADER not in self.server_state.default_headers
        cycle.message_event.set()

    # What is answered by the app

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Remember which is running; turn it away where those before it have taken too long."""
        self.running = cycle
        path = cycle.scope["path"]
        if app is self.app:
            if self.is_too_late(path):
                app = self._recorded(overloaded_response(path))
            else:
                self.turn.take()
                self.turn.batches += path.endswith(BATCH_SUFFIXES)
        super()._start_asgi_task(cycle, app)

    def is_too_late(self, path: str) -> bool:
        """Whether a request is to be turned away."""
        if path in NEVER_SHED:
            return False
        # The routes ask when a batch is read, as many come together; not to read it is cheaper.
        return self.turn.is_over() or (
            path.endswith(BATCH_SUFFIXES) and is_saturated(self.turn.batches)
        )

    def _recorded(self, answer: Response) -> ASGI3Application:
        """Answers without the app, which is recorded nevertheless."""
        recorded = RecordRequests(answer, self.state.access_log)
        return cast("ASGI3Application", recorded)

    def on_response_complete(self) -> None:
        # as uvicorn does, without its timer for each: an idle connection is looked at
        self.server_state.total_requests += 1
        self.answered += 1
        self.is_quiet = True
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self.is_half_closed:
            self.transport.close()

    def shutdown(self) -> None:
        """Close as soon as nothing is to be answered; what is being sent has begun, too."""
        if self.answers() or self.begun == self.answered:
            super().shutdown()

    def refuse(self, refusal: ProtocolError) -> None:
        """Read no more, and answer in its turn what cannot be read any further."""
        self.is_refused = True
        self.held = memoryview(b"")
        self.flow.pause_reading()
        running, (method, headers) = self.running, self._asked()
        if self._awaits_body():
            if self.pipeline:
                self.pipeline.popleft()  # its body cannot be read
            elif self.cycle.response_started:
                self.transport.close()  # in the midst of the answer, which shows
                return
            else:
                self._abandon(self.cycle, is_refused=True)
                running = None
        raw_path = self.url.partition(b"?")[0]
        path = raw_path.decode("latin-1")
        answer = error_response(path, refusal.status, refusal.detail)
        self.on_message_begin()  # for a scope of its own
        self.scope.update(
            {"method": method, "path": path, "raw_path": raw_path, "headers": headers}
        )
        self.cycle = self._closing_cycle()
        app = self._recorded(answer)
        if running is None or running.response_complete:
            self._start_asgi_task(self.cycle, app)
        else:
            self.pipeline.appendleft((self.cycle, app))

    def _asked(self) -> tuple[str, Headers]:
        """The method and the headers of the request that comes, as far as they have come."""
        if self._awaits_body():
            return self.scope["method"], list(self.scope["headers"])
        return self.parser.get_method().decode() if self.url else "", self.headers

    def _awaits_body(self) -> bool:
        """Whether the request that comes has its head, and not all of its body."""
        return self.cycle is not None and self.cycle.more_body and self.scope is self.cycle.scope

    def _closing_cycle(self) -> RequestResponseCycle:
        return RequestResponseCycle(
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

    def _abandon(self, cycle: RequestResponseCycle, *, is_refused: bool = False) -> None:
        """Tell the app that nobody is there."""
        cycle.scope["state"][ABANDONED] = is_refused
        cycle.disconnected = True
        cycle.message_event.set()

    def _is_cut_short(self) -> bool:
        """Whether an answer ends the connection before all that was sent for it has been read."""
        if self.running is None or not self.running.response_complete:
            return False
        return bool(self.cycle.more_body or self.pipeline or self.held)
