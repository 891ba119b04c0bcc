"""Close connections and listeners without losing responses or accepted connections."""

import asyncio
import contextlib
import ctypes
import fcntl
import socket
import struct
import termios
from asyncio import Transport
from collections.abc import Callable

STATUS_LINE_PREFIX = b"HTTP/1.1 "
MAX_DISCARDED_BYTES = 32 * 1024 * 1024  # of a rejected upload whose client reads only at its end

SO_ATTACH_FILTER = 26  # <asm-generic/socket.h>; Python's socket module does not name it

# A program of <linux/filter.h> that drops SYN packets only: the last packet of a handshake must
# pass, and the new connection inherits the filter.
DROP_SYN = (  # code, jump if true, jump if false, operand
    (0x30, 0, 0, 13),  # load the flags of the TCP header
    (0x45, 0, 1, 0x02),  # is SYN set?
    (0x06, 0, 0, 0),  # drop the packet
    (0x06, 0, 0, 0xFFFFFFFF),  # accept it
)


class LingeringTransport:
    """A transport that closes only its sending half while the client is still sending.

    The kernel resets a closed connection when more data arrives, and a client that sends its whole
    request before it reads loses the response (RFC 9112, 9.6). So the rest of the request is read
    and discarded, up to MAX_DISCARDED_BYTES; timeouts.py ends the wait for it.

    The head of a response is sent together with the next write of the same event-loop iteration.
    A process that is killed has therefore sent a short response whole or not at all, and a proxy
    can send the request to another server.
    """

    __slots__ = ("_head", "_remaining", "_transport", "_unread_request", "lingering")

    def __init__(self, transport: Transport, unread_request: Callable[[], bool]) -> None:
        self._transport = transport
        self._unread_request = unread_request  # whether the client still sends a request
        self._remaining = MAX_DISCARDED_BYTES
        self._head = b""  # not yet written
        self.lingering = False

    def write(self, data: bytes) -> None:
        """Send data in order; a head waits for the next write or the end of the iteration."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data))
        elif data.startswith(STATUS_LINE_PREFIX):
            self._head = data
            asyncio.get_running_loop().call_soon(self._write_head)
        else:
            self._transport.write(data)

    def write_response(self, response: bytes) -> None:
        """Send a whole response."""
        self._write_head()
        self._transport.write(response)

    def _write_head(self) -> None:
        head, self._head = self._head, b""
        if head and not self._transport.is_closing():
            self._transport.write(head)

    def is_closing(self) -> bool:
        """Return whether nothing more can be written."""
        return self.lingering or self._transport.is_closing()

    def close(self) -> None:
        """Send what is buffered, then close, or linger while the client sends a request."""
        if self.is_closing():
            return
        self._write_head()
        if not self._unread_request():
            self._transport.close()
            return
        self.lingering = True
        self._transport.write_eof()
        self._transport.resume_reading()

    def detach(self) -> None:
        """Drop the reference to the protocol, so that both are freed at once."""
        self._unread_request = lambda: False

    def discard(self, data: bytes) -> None:
        """Discard data that arrives while lingering; reset the connection at the limit."""
        self._remaining -= len(data)
        if self._remaining < 0:
            self.abort()

    def abort(self) -> None:
        """Reset the connection; the kernel drops unsent data too."""
        connection = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # already closed
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def unsent_bytes(self) -> int:
        """Return how many bytes the client has not acknowledged; 0 if the write buffer is empty.

        The kernel's queue counts too: a slow client drains it long before our buffer shrinks.
        """
        unsent = self._transport.get_write_buffer_size()
        if unsent:
            connection = self._transport.get_extra_info("socket")
            with contextlib.suppress(OSError):  # not supported on every system
                queued = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
                unsent += struct.unpack("i", queued)[0]
        return unsent


def drop_new_connections(listener: socket.socket) -> None:
    """Make Linux drop new connection attempts to a TCP listener; elsewhere, do nothing.

    Closing a listener resets the connections in its queue, although their clients take them for
    accepted. With the filter no connection joins the queue. A client whose SYN is dropped repeats
    it, and is refused once the queue is empty and the listener closed.
    """
    instructions = b"".join(struct.pack("HBBI", *instruction) for instruction in DROP_SYN)
    buffer = ctypes.create_string_buffer(instructions)
    program = struct.pack("HP", len(DROP_SYN), ctypes.addressof(buffer))
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
