"""What is answered in the turn in which it comes, without the app: one row, and who is too late.

The app costs several times what the answer does. Whatever is unusual about a request or its
connection, the app sees to it.
"""

from asyncio import Transport
from time import perf_counter
from typing import TYPE_CHECKING, ClassVar, cast

from app.http.headers import request_id
from app.http.problems import is_v2
from app.observability.access_log import Line
from app.observability.metrics import count_request
from app.observability.middleware import UNMATCHED
from app.server.protocol import StrictProtocol
from app.server.protocol_errors import ProtocolError
from app.server.response_bytes import FixedHeaders, busy, rest_of_answer

if TYPE_CHECKING:
    from app.server.config import ServerConfig

MAX_DISCARDED_BYTES = 64 * 1024  # of a body that is not answered; a longer one the app cuts short


class FastPathProtocol(StrictProtocol):
    """One connection."""

    _fixed: ClassVar = FixedHeaders([])  # of all connections, as they were last

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._prompt = cast("ServerConfig", self.config).fast_path
        self._body: bytes | None = None  # of a request that may be answered promptly
        self._waits = False  # for the answer to it, as it is whole
        # When the head came of a request that is turned away as soon as its body has come; else 0.
        self._late_since = 0.0

    # What comes

    def on_message_begin(self) -> None:
        if self._waits:
            self._prompt.settle()  # answers go out in order
        super().on_message_begin()

    def begin(self) -> None:
        """Choose who answers a request whose head has come."""
        if self._is_unusual() or self.body_left > MAX_DISCARDED_BYTES:
            super().begin()
        elif self._prompt.knows(self.url):
            if self.turn.is_over():
                self._late_since = perf_counter()
            else:
                self._body = b""
        elif self._is_plain_address() and self.is_too_late(self._path().decode()):
            self._late_since = perf_counter()
        else:
            super().begin()

    def on_body(self, body: bytes) -> None:
        if self._body is not None:
            self._body += body
        elif not self._late_since:
            super().on_body(body)
            return
        self.unfinished = 0
        self.body_left -= len(body)

    def on_message_complete(self) -> None:
        if self._late_since:
            self._turn_away()
        elif self._body is None:
            super().on_message_complete()
        elif question := self._prompt.ask(
            self.url, self.headers, self._body, self._client(), self._reply
        ):
            self.turn.take()
            self._waits = True
            self._prompt.answer(question)
        else:
            self._let_app_answer()
            super().on_message_complete()

    def _feed(self, part: bytes | memoryview) -> None:
        super()._feed(part)
        if self._body is not None and not (self._waits or self.held):  # there is more to come
            self._let_app_answer()

    def _is_unusual(self) -> bool:
        """Whether an answer may not go out as soon as the request is whole."""
        return (
            self.parser.get_method() != b"POST"
            or self.answers()
            or self.is_chunked
            or self.expect_100_continue
            or bool(self.pipeline)
            or self.flow.write_paused
            or self.is_old
            or not self.parser.should_keep_alive()
            or self._fixed_headers().closes
        )

    def _is_plain_address(self) -> bool:
        """Whether the address is what is written, to its query."""
        url = self.url
        return url.startswith(b"/") and url.isascii() and b"%" not in url and b"#" not in url

    def _path(self) -> bytes:
        return self.url.partition(b"?")[0]

    def _client(self) -> str | None:
        return self.client and self.client[0]

    def awaits_client(self) -> bool:
        return not self._waits and super().awaits_client()

    def takes_body(self) -> bool:
        return self._late_since > 0.0 or super().takes_body()

    # What goes out

    def _reply(self, rest: bytes | None) -> None:
        """Send an answer; None where the app is to give it."""
        self._waits = False
        if rest is None:
            self._let_app_answer()
            super().on_message_complete()
        else:
            self._body = None
            self._send(self._fixed_headers().of_answer + rest)

    def _turn_away(self) -> None:
        seconds, self._late_since = perf_counter() - self._late_since, 0.0
        count_request("POST", UNMATCHED, 503, seconds)  # no route has heard of it
        path, name = self._path(), request_id(self.headers)
        lines, content = busy(v2=is_v2(path.decode()))
        log = self.state.access_log
        if log is not None:
            told = self._client(), "POST", self.headers, name, 503, seconds, len(content)
            log.add(Line(*told, path=path))
        self._send(self._fixed_headers().of_busy + rest_of_answer(lines, content, name))

    def _send(self, answer: bytes) -> None:
        self.transport.write_whole(answer)
        self.has_answered = True
        self.headers = []
        self.unfinished = 0
        self.answered += 1
        self.is_quiet = True
        self.server_state.total_requests += 1
        if self.is_half_closed or self._fixed.closes:
            self.transport.close()

    def _let_app_answer(self) -> None:
        """Hand on a request of which some of the body may have come."""
        body, self._body = self._body, None
        super().begin()
        if body:
            self.body_left += len(body)
            super().on_body(body)

    def _fixed_headers(self) -> FixedHeaders:
        headers = self.server_state.default_headers
        if self._fixed.headers is not headers:  # they tell the time
            FastPathProtocol._fixed = FixedHeaders(headers)
        return self._fixed

    # The end

    def shutdown(self) -> None:
        if self._late_since:  # say so before it closes
            self._turn_away()
        super().shutdown()

    def refuse(self, refusal: ProtocolError) -> None:
        if self._waits:
            self._prompt.settle()
        self._body, self._late_since = None, 0.0
        super().refuse(refusal)

    def _is_cut_short(self) -> bool:
        return self._late_since > 0.0 or super()._is_cut_short()
