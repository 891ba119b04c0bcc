"""A connection's end: an answer goes out in one piece, and can be read while its client sends."""

import asyncio
import contextlib
import fcntl
import struct
import termios
from asyncio import Transport
from collections.abc import Callable
from socket import SO_LINGER, SOL_SOCKET

HEAD = b"HTTP/1.1 "
LINGER_BYTES = 32 * 1024 * 1024  # a batch that is refused at once, for clients that send all first


class LingeringTransport:
    """A transport that closes only its own half while the client is still sending.

    What comes for a connection that is closed, the kernel answers with a reset; a client that
    sends everything before it reads loses its answer by it (RFC 9112, 9.6). So the rest is read
    and dropped, up to a limit. Who uses it ends it after a while.

    The head of an answer goes out with what follows in the same turn of the event loop. A process
    that is killed has thus sent a short answer whole or not at all, and a proxy can ask another.
    """

    __slots__ = ("_head", "_is_cut_short", "_left", "_transport", "lingers")

    def __init__(self, transport: Transport, is_cut_short: Callable[[], bool]) -> None:
        self._transport = transport
        self._is_cut_short = is_cut_short
        self._left = LINGER_BYTES
        self._head = b""  # not yet written
        self.lingers = False

    def write(self, data: bytes) -> None:
        """Send, in order; a head at the end of this turn, or with what comes before that."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data))
        elif data.startswith(HEAD):
            self._head = data
            asyncio.get_running_loop().call_soon(self._write_head)
        else:
            self._transport.write(data)

    def write_whole(self, answer: bytes) -> None:
        """Send an answer with its head."""
        self._write_head()
        self._transport.write(answer)

    def _write_head(self) -> None:
        head, self._head = self._head, b""
        if head and not self._transport.is_closing():
            self._transport.write(head)

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self.lingers or self._transport.is_closing()

    def close(self) -> None:
        """Close after what is written, at once or when the client has sent the rest."""
        if self.is_closing():
            return
        self._write_head()
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
