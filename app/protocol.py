"""HTTP/1.1 as uvicorn speaks it, with a limit to what a client may send, leave unread or hold open.

uvicorn has none of its own. Where it can still be, a refusal is an answer in its turn: what came
before it is answered first. After it the connection closes, for nobody knows where in such a stream
the next request would begin.
"""

import asyncio
import re
from asyncio import Transport
from typing import NamedTuple, cast

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import CLOSE_HEADER, HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.errors import error_response
from app.lingering import LingeringTransport

KIBIBYTE = 1024
MOST_LINE_BYTES = 8 * KIBIBYTE  # what RFC 9112 asks for, and browsers send
MOST_TARGET_BYTES = MOST_LINE_BYTES - len("OPTIONS  HTTP/1.1")
MOST_HEADERS = 100
MOST_HEADER_BYTES = 32 * KIBIBYTE
PART_BYTES = 4 * KIBIBYTE  # parsed at a time: a hundred small requests or a thousand tiny headers
MOST_UNFINISHED_BYTES = MOST_LINE_BYTES + MOST_HEADER_BYTES + PART_BYTES

LOOK_SECONDS = 0.5
DEADLINE_LOOKS = 16  # 8 seconds, or more where the process itself was held up
LINGER_LOOKS = 4
LEAST_BODY_BYTES = 512  # in 8 seconds: a line of CSV a second is enough, a byte a second is not

HOST = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[\w.~%-]{1,255})(:\d{0,5})?")  # what a URL can hold


class Refusal(NamedTuple):
    """How a request is answered that the app does not hear of."""

    status: int
    detail: str


MALFORMED = Refusal(400, "The request must be HTTP/1.1, however it is malformed.")
NO_HOST = Refusal(
    400, "The request must have one Host, a name or an address, however it has none or another."
)
TOO_LATE = Refusal(
    408,
    "The request must come within 8 seconds, and a longer body at 512 bytes in that time or "
    "faster, however it did not.",
)
LONG_TARGET = Refusal(
    414, f"The request line must have at most {MOST_LINE_BYTES:,} bytes, however it has more."
)
LARGE_HEADERS = Refusal(
    431,
    f"The headers must be at most {MOST_HEADERS} and {MOST_HEADER_BYTES:,} bytes, however they "
    "are more.",
)


class RefusedError(Exception):
    """What the parser took and this service does not; the parser stops at it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__()
        self.refusal = refusal


class Intake(FlowControl):
    """Reads on only when all requests that have come are answered or being answered.

    uvicorn reads on after each answer and whenever the app waits for its client, however many
    requests are waiting by then.
    """

    def __init__(self, transport: Transport, protocol: "StrictProtocol") -> None:
        super().__init__(transport)
        self._protocol = protocol

    def resume_reading(self) -> None:
        """Take what is held first."""
        if not self.read_paused or self._protocol.pipeline or self._protocol.is_refused:
            return
        if self._protocol.held:
            self._protocol.loop.call_soon(self._protocol.feed_held)
        else:
            super().resume_reading()


class StrictProtocol(HttpToolsProtocol):
    """One connection."""

    transport: LingeringTransport  # type: ignore[assignment]  # has all that uvicorn uses of one

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = LingeringTransport(transport, self._is_cut_short)
        self.flow = Intake(transport, self)
        self.url = b""
        self.headers = []
        self.held = memoryview(b"")  # what was read and is not yet to be parsed
        self.unfinished = 0  # bytes that were parsed and have made neither a head nor a body
        self.is_refused = False
        self._may_be_kept = False
        self._host: bytes | None = None  # the last one that was accepted
        self.running: RequestResponseCycle | None = None  # the one that is being answered
        self.received = 0  # bytes
        self._received_well = 0  # when enough of a body had come
        self._wait: object = None  # what the client kept us waiting for, at the last looks
        self._looks = 0

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # uvicorn leaves it where the client reset
        self.held = memoryview(b"")
        if self.running is not None and not self.running.response_complete:
            self._abandon(self.running)  # uvicorn tells only the last of a pipeline
        self.transport.let_go()  # with what refers to this one, which is then freed at once
        self.running = self.flow = self._wait = None  # type: ignore[assignment]

    # What comes

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if self.transport.lingers:
            self.transport.drop(data)
            return
        self._unset_keepalive_if_required()
        if len(data) <= PART_BYTES:
            self._feed(data)
        else:
            self.held = memoryview(data)
            self.feed_held()

    def feed_held(self) -> None:
        """Parse what is held, as far as it may be; then read on."""
        while self.held and self._takes_more():
            part, self.held = self.held[:PART_BYTES], self.held[PART_BYTES:]
            self._feed(part)
        if self.held:
            self.flow.pause_reading()
        elif self._takes_more():
            self.flow.resume_reading()

    def _takes_more(self) -> bool:
        return not (
            self.is_refused
            or self.pipeline
            or self.transport.is_closing()
            or (self.cycle is not None and len(self.cycle.body) > HIGH_WATER_LIMIT)
        )

    def _feed(self, part: bytes | memoryview) -> None:
        self.unfinished += len(part)
        try:
            self.parser.feed_data(part)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_without_upgrade(bytes(part[upgrade.args[0] :]))
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause.refusal if isinstance(cause, RefusedError) else MALFORMED)
        else:
            if (self.unfinished or self.headers) and (excess := self._excess()):
                self._refuse(excess)

    def _excess(self) -> Refusal | None:
        """The refusal of a head or of trailers that are too large already; they may never end."""
        if len(self.url) > MOST_TARGET_BYTES:
            return LONG_TARGET
        if len(self.headers) > MOST_HEADERS or self.unfinished > MOST_UNFINISHED_BYTES:
            return LARGE_HEADERS
        if self.unfinished > MOST_HEADER_BYTES - PART_BYTES:  # may be too large: add up
            size = sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)
            return LARGE_HEADERS if size > MOST_HEADER_BYTES else None
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
        self._feed(b"\r\n".join([*lines, b"", rest]))

    # What the parser tells

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise RefusedError(MALFORMED)
            return  # it is read again
        if refusal := self._excess() or self._misframed():
            raise RefusedError(refusal)
        super().on_headers_complete()
        # An answer that comes before all of the body closes, and says so.
        self._may_be_kept, self.cycle.keep_alive = self.cycle.keep_alive, False
        self.headers = []  # for trailers, which are not to be taken for headers
        self.unfinished = 0
        if self.scope["http_version"] not in ("1.1", "1.0"):
            raise RefusedError(MALFORMED)

    def _misframed(self) -> Refusal | None:
        """The refusal of a head that another server on the way may have read otherwise."""
        hosts, codings = [], []
        for name, value in self.headers:
            if name == b"host":
                hosts.append(value)
            elif name == b"transfer-encoding":
                codings.append(value.lower())
        is_old = (not hosts or codings) and self.parser.get_http_version() == "1.0"
        if codings and (is_old or codings != [b"chunked"]):
            return MALFORMED
        if len(hosts) != 1:
            return None if is_old and not hosts else NO_HOST
        return self._misnamed(hosts[0])

    def _misnamed(self, host: bytes) -> Refusal | None:
        if host != self._host:  # it is the same in every request, as a rule
            if not HOST.fullmatch(host):
                return NO_HOST
            self._host = host
        return None

    def on_body(self, body: bytes) -> None:
        # as uvicorn does, without its questions about WebSockets
        self.unfinished = 0
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

    # What is answered

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Remember which is running."""
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def _refuse(self, refusal: Refusal) -> None:
        """Read no more, and answer in its turn what cannot be read any further."""
        self.is_refused = True
        self.held = memoryview(b"")
        self.flow.pause_reading()
        self._unset_keepalive_if_required()
        running = self.running
        if self.cycle is not None and self.cycle.more_body and self.scope is self.cycle.scope:
            if self.pipeline:
                self.pipeline.popleft()  # its body cannot be read
            elif self.cycle.response_started:
                self.transport.close()  # in the midst of the answer, which shows
                return
            else:
                self._abandon(self.cycle)
                running = None
        path = self.url.partition(b"?")[0].decode("latin-1")
        answer = error_response(path, refusal.status, refusal.detail)
        self.on_message_begin()  # for a scope of its own
        self.scope["method"] = "GET"
        self.cycle = self._closing_cycle()
        app = cast("ASGI3Application", answer)  # as every response of Starlette is
        if running is None or running.response_complete:
            self._start_asgi_task(self.cycle, app)
        else:
            self.pipeline.appendleft((self.cycle, app))

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

    def _abandon(self, cycle: RequestResponseCycle) -> None:
        """Tell the app that nobody is there."""
        cycle.disconnected = True
        cycle.message_event.set()

    def _is_cut_short(self) -> bool:
        """Whether an answer ends the connection before all that was sent for it has been read."""
        if self.running is None or not self.running.response_complete:
            return False
        return bool(self.cycle.more_body or self.pipeline or self.held)

    # How long it takes

    def look(self) -> None:
        """Close the connection where its client has kept us waiting for the same at many looks."""
        wait = self._waits_for()
        if wait != self._wait:
            self._wait, self._looks = wait, 0
            return
        self._looks += 1
        if wait is None:
            return
        kind, _ = wait
        if kind == "end" and self._looks >= LINGER_LOOKS:
            self.transport.abort()
        elif self._looks >= DEADLINE_LOOKS:
            if kind == "read":
                self.transport.abort()  # closing would wait for what the client does not read
            else:
                self._refuse(TOO_LATE)

    def _waits_for(self) -> tuple[str, object] | None:
        """What the client is to do next, and something that changes when it gets on with it."""
        if unsent := self.transport.unsent():
            return "read", unsent
        if self.transport.lingers:
            return "end", None
        cycle = self.cycle
        if cycle is None:
            return "head", None
        if cycle.response_complete:
            has_begun = self.scope is not cycle.scope or self.timeout_keep_alive_task is None
            return ("head", cycle) if has_begun else None  # an idle one is uvicorn's to close
        if cycle.more_body and not self.flow.read_paused:
            if self.received - self._received_well >= LEAST_BODY_BYTES:
                self._received_well = self.received
            return "body", (cycle, self._received_well)
        return None


def watch(state: ServerState) -> None:
    """Look at every connection twice a second, from now on; cheaper than a timer for each."""
    asyncio.get_running_loop().call_later(LOOK_SECONDS, watch, state)
    for connection in list(state.connections):
        cast("StrictProtocol", connection).look()
