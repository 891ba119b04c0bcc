"""What is refused before the app hears of it, and the limits that it exceeds."""

from typing import NamedTuple

KIBIBYTE = 1024
MAX_LINE_BYTES = 8 * KIBIBYTE  # what RFC 9112 asks for, and browsers send
MAX_TARGET_BYTES = MAX_LINE_BYTES - len("OPTIONS  HTTP/1.1")
MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 * KIBIBYTE


class ProtocolError(NamedTuple):
    """How a request is answered that the app does not hear of."""

    status: int
    detail: str


class ProtocolViolationError(Exception):
    """What the parser took and this service does not; the parser stops at it."""

    def __init__(self, refusal: ProtocolError) -> None:
        super().__init__()
        self.refusal = refusal


MALFORMED = ProtocolError(400, "The request must be HTTP/1.1, however it is malformed.")
NO_HOST = ProtocolError(
    400, "The request must have one Host, a name or an address, however it has none or another."
)
TOO_LATE = ProtocolError(
    408,
    "The request must come within 8 seconds, and a longer body at 512 bytes in that time or "
    "faster, however it did not.",
)
LONG_TARGET = ProtocolError(
    414, f"The request line must have at most {MAX_LINE_BYTES:,} bytes, however it has more."
)
LARGE_HEADERS = ProtocolError(
    431,
    f"The headers must be at most {MAX_HEADERS} and {MAX_HEADER_BYTES:,} bytes, however they "
    "are more.",
)
