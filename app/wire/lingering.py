"""Closing a connection whose client is still sending, so that it can read its answer."""

import contextlib
import fcntl
import struct
import termios
from asyncio import Transport
from collections.abc import Callable
from socket import SO_LINGER, SOL_SOCKET

LINGER_BYTES = 32 * 1024 * 1024  # a batch that is refused at once, for clients that send all first


class LingeringTransport:
    """A transport that closes only its own half while the client is still sending.

    What comes for a connection that is closed, the kernel answers with a reset; a client that
    sends everything before it reads loses its answer by it (RFC 9112, 9.6). So the rest is read
    and dropped, up to a limit. Who uses it ends it after a while.
    """

    __slots__ = ("_is_cut_short", "_left", "_transport", "lingers", "write")

    def __init__(self, transport: Transport, is_cut_short: Callable[[], bool]) -> None:
        self._transport = transport
        self._is_cut_short = is_cut_short
        self._left = LINGER_BYTES
        self.lingers = False
        self.write = transport.write

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self.lingers or self._transport.is_closing()

    def close(self) -> None:
        """Close after what is written, at once or when the client has sent the rest."""
        if self.is_closing():
            return
        if not self._is_cut_short():
            self._transport.close()
            return
        self.lingers = True
        self._transport.write_eof()
        self._transport.resume_reading()

    def let_go(self) -> None:
        """Forget who uses it."""
        self._is_cut_short = lambda: False

    def drop(self, data: bytes) -> None:
        """Take what came while it lingers."""
        self._left -= len(data)
        if self._left < 0:
            self.abort()

    def abort(self) -> None:
        """Close by a reset, whatever is still to be sent: the kernel is not to keep it either."""
        socket = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # it is closed already
            socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def unsent(self) -> int:
        """How many bytes the client has not taken, where so many wait that it must be noticed.

        Those in the kernel count too: a slow client takes them for long before we may write again.
        """
        waiting = self._transport.get_write_buffer_size()
        if waiting:
            socket = self._transport.get_extra_info("socket")
            with contextlib.suppress(OSError):  # not every system can tell
                queued = fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, bytes(4))
                waiting += struct.unpack("i", queued)[0]
        return waiting
