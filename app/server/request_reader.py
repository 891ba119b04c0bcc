"""Read requests: feed the parser only as much as can be answered, and enforce the limits.

uvicorn does not limit what a client may send or leave unread. A request that violates a limit is
answered after the requests before it. Then the connection closes, because the start of the next
request is unknown.
"""

from asyncio import Transport
from enum import Enum, auto

import httptools

from app.server.request_head import (
    MALFORMED,
    ProtocolError,
    ProtocolViolationError,
    check_size,
)
from app.server.uvicorn_protocol import UvicornProtocol

# Bytes parsed at a time: of heads (a few dozen of the smallest requests) and of chunked bodies. A
# body of known length is parsed as far as it was read; the event loop reads at most 256 KB.
HEAD_PART_BYTES, BODY_PART_BYTES = 1024, 4096


class State(Enum):
    """Progress of the request received last; the app may still be answering earlier ones."""

    IDLE = auto()  # answered, or none received yet
    HEAD = auto()  # its head is arriving
    FAST_BODY = auto()  # its body is collected for the fast path
    SHED_BODY = auto()  # its body is discarded; then the response is 503
    APP_BODY = auto()  # its body is arriving and passed to the app
    PENDING = auto()  # complete; the micro-batch holds it
    COMPLETE = auto()  # complete; the app responds to it
    REJECTED = auto()  # invalid: nothing more is parsed, and the connection closes


class RequestReader(UvicornProtocol):
    """The receiving half of a connection."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.state = State.IDLE
        self.url = b""
        self.headers = []
        self.head_bytes = 0  # parsed since the last complete head or piece of a body
        self.content_left = 0  # bytes of the body that are still to arrive, if that is known
        self.unparsed = memoryview(b"")
        self.responded_while_parsing = False
        self.is_half_closed = False  # the client sends nothing more, but reads
        self.bytes_received = 0
        self.requests_started = 0

    def connection_lost(self, exc: Exception | None) -> None:
        self.unparsed = memoryview(b"")
        super().connection_lost(exc)

    @property
    def awaits_client(self) -> bool:
        """Whether the client must send a request, or the rest of one, to get a response."""
        raise NotImplementedError

    def reject(self, error: ProtocolError) -> None:
        """Answer with an error after the requests before this one, and parse nothing more."""
        raise NotImplementedError

    def forget_head(self) -> None:
        """Clear the head, for the next one and so that trailers do not join the headers."""
        self.url, self.headers, self.head_bytes = b"", [], 0

    def data_received(self, data: bytes) -> None:
        self.bytes_received += len(data)
        if self.transport.lingering:
            self.transport.discard(data)
            return
        if self.state is State.IDLE:
            self.state = State.HEAD
        if len(data) <= HEAD_PART_BYTES:
            self._parse(data)
        else:
            self.unparsed = memoryview(data)
            self.parse_unparsed()

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio declares it
        """Keep the connection open only if a response is still to be sent."""
        self.is_half_closed = True
        return not self.awaits_client

    def parse_unparsed(self) -> None:
        """Parse until a request must wait for earlier ones; read on once all is parsed."""
        self.responded_while_parsing = False
        while self.unparsed and self._accepts_input():
            if self.responded_while_parsing:  # other connections first
                self.loop.call_soon(self.parse_unparsed)
                break
            in_body = self.state is State.APP_BODY
            size = max(BODY_PART_BYTES if in_body else HEAD_PART_BYTES, self.content_left)
            part, self.unparsed = self.unparsed[:size], self.unparsed[size:]
            self._parse(part)
        if self.transport.is_closing():
            return  # a lingering connection reads on, to discard the rest
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
        """Return whether the client may still be sending a request that will not be answered."""
        if self.running is not None and not self.running.response_complete:
            return False  # the client must notice that its response is cut off
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

        The parser does not read the body of such a request, and would take it for the next request.
        Java's HttpClient and `curl --http2` offer h2c with every first request.
        """
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.requests_started -= 1  # the parser counts it again
        self.head_bytes = 0
        self._parse(b"\r\n".join([*lines, b"", rest]))
