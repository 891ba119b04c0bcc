"""When to read on: only where what has come is under way."""

from asyncio import Transport
from typing import TYPE_CHECKING

from uvicorn.protocols.http.flow_control import FlowControl

if TYPE_CHECKING:
    from app.server.protocol import StrictProtocol


class ReadFlowControl(FlowControl):
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
