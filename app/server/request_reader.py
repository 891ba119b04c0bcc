"""Read requests: feed the parser only as much as can be answered, and enforce the limits.

uvicorn has no limits on what a client may send or leave unread. A request that violates one is
answered in its turn, after the requests before it; then the connection closes, because nobody knows
where the next request would begin.
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

# Parsed at a time between requests (a few dozen of the smallest) and within a request. A body of
# known length is parsed at once as far as it was read; the event loop reads at most 256 KB.
BETWEEN_BYTES, WITHIN_BYTES = 1024, 4096


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
        """Whether the client is to send a request, or the rest of one."""
        raise NotImplementedError

    def reject(self, error: ProtocolError) -> None:
        """Answer with an error after the requests before this one, and parse nothing more."""
        raise NotImplementedError

    def forget_head(self) -> None:
        """Make room for the next head, or for trailers, which are no headers."""
        self.url, self.headers, self.head_bytes = b"", [], 0

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
        self.is_half_closed = True
        return not self.awaits_client

    def parse_unparsed(self) -> None:
        """Parse what was read, as far as requests before it permit; then read on."""
        self.responded_while_parsing = False
        while self.unparsed and self._accepts_input():
            if self.responded_while_parsing:  # let other connections have their turn
                self.loop.call_soon(self.parse_unparsed)
                break
            is_within = self.state is State.APP_BODY
            size = max(WITHIN_BYTES if is_within else BETWEEN_BYTES, self.content_left)
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
        """Return whether the client may still be sending a request that will not be answered."""
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
