"""Whole lines from the pieces that a body or a file comes in."""

MAX_LINE_BYTES = 64 * 1024
OVERLONG = b"\x00"
"""Stands for a line that is longer; neither CSV of numbers nor JSON has such a byte."""


class LineBuffer:
    """Holds back the line that is not yet whole, and of an endless one only the beginning."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> bytes:
        """All lines that are whole now, the last one with its end."""
        head, end, tail = data.rpartition(b"\n")
        if not end:
            self._hold(tail)
            return b""
        lines = _mark_overlong(bytes(self._rest) + head) + end
        self._rest.clear()
        self._hold(tail)
        return lines

    def close(self) -> bytes:
        """The last line, where it has no end."""
        return _mark_overlong(bytes(self._rest))

    def _hold(self, data: bytes) -> None:
        self._rest += data[: MAX_LINE_BYTES + 1 - len(self._rest)]  # one more: so it is noticed


def _mark_overlong(lines: bytes) -> bytes:
    if not _has_overlong(lines):
        return lines
    each = lines.split(b"\n")
    return b"\n".join(OVERLONG if len(line) > MAX_LINE_BYTES else line for line in each)


def _has_overlong(lines: bytes) -> bool:
    """Whether one of the lines is too long, without looking at each of them."""
    start = 0
    while len(lines) - start > MAX_LINE_BYTES:
        end = lines.rfind(b"\n", start, start + MAX_LINE_BYTES + 1)
        if end < 0:
            return True
        start = end + 1
    return False
