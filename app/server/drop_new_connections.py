"""Before a listener closes: let nobody new in, and lose nobody who is.

Closing a listener resets the connections that wait in its queue, which their clients take for
accepted. Linux can drop what asks for another one instead: a client asks again, and is refused when
the queue has been emptied and the listener closed.
"""

import contextlib
import ctypes
import socket
import struct

SO_ATTACH_FILTER = 26  # <asm-generic/socket.h>; Python's socket module has no name for it

# A program of <linux/filter.h>. It drops nothing but a SYN: the last packet of a handshake must
# pass, and the connection that is made of it inherits the filter.
INSTRUCTIONS = (  # code, jump if true, jump if false, number
    (0x30, 0, 0, 13),  # load the flags of the TCP header
    (0x45, 0, 1, 0x02),  # does one say SYN?
    (0x06, 0, 0, 0),  # drop the packet
    (0x06, 0, 0, 0xFFFFFFFF),  # take all of it
)


def drop_new_connections(listener: socket.socket) -> None:
    """Drop all that asks a TCP listener for a connection; nothing elsewhere than on Linux."""
    instructions = b"".join(struct.pack("HBBI", *instruction) for instruction in INSTRUCTIONS)
    buffer = ctypes.create_string_buffer(instructions)
    program = struct.pack("HP", len(INSTRUCTIONS), ctypes.addressof(buffer))
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
