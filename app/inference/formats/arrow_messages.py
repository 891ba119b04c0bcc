"""Split an Arrow IPC stream into its messages, as the bytes of a body arrive.

The size of each message is checked before anything decodes it, so that no stream can make the
service allocate more. See the "Encapsulated message format" of Arrow's columnar format, and its
Message.fbs and Schema.fbs.
"""

import struct
from collections.abc import Iterator

from models.csv_table import TableError

MAX_METADATA_BYTES = 64 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024  # 260,000 rows of eight doubles
CONTINUATION = b"\xff\xff\xff\xff"  # precedes the length of the metadata since Arrow 0.15
LENGTH_BYTES = 4
HEADER_TYPE, HEADER, BODY_LENGTH = 1, 2, 3  # fields of the table Message
ENDIANNESS, COMPRESSION = 0, 3  # fields of the header, a Schema or a RecordBatch
SCHEMA = 1  # a value of HEADER_TYPE

TOO_LARGE_METADATA = (
    f"the metadata of an Arrow message must have at most {MAX_METADATA_BYTES:,} bytes, got more. "
    "Send the eight columns only, and a schema without metadata"
)
TOO_LARGE_BODY = (
    f"the body of an Arrow message must have at most {MAX_BODY_BYTES:,} bytes, got more. "
    "Write smaller record batches"
)
NOT_ARROW = "the body must be an Arrow IPC stream, got other data"


class MessageBuffer:
    """Keeps an incomplete message until its end arrives; nothing may follow the stream's end."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._needed = LENGTH_BYTES  # bytes until the next step: the prefix, metadata or body
        self._metadata_size = 0  # 0 before the prefix is read
        self._knows_size = False  # whether _needed is the size of the whole message
        self._has_ended = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Return all complete messages.

        Raises TableError if one is malformed or too large, or if data follows the stream's end.
        """
        self._rest += data
        while len(self._rest) >= self._needed:
            if self._has_ended:
                self._end()
                return
            if self._knows_size:
                yield self._take()
            elif self._metadata_size:
                self._read_metadata()
            else:
                self._read_prefix()

    def _end(self) -> None:
        """Drop the end-of-stream mark. Raises TableError if bytes follow it."""
        has_more = len(self._rest) > self._needed
        self._rest.clear()
        self._needed = 0
        if has_more:
            raise TableError(
                "the Arrow stream must end at its end-of-stream mark, but more bytes follow it"
            )

    def close(self) -> None:
        """Raise TableError if the stream ends within a message."""
        if self._rest:
            raise TableError("the Arrow stream must end after a message, but it is cut off")

    def _read_prefix(self) -> None:
        has_mark = self._rest.startswith(CONTINUATION)
        length_at = len(CONTINUATION) if has_mark else 0
        self._needed = length_at + LENGTH_BYTES
        if len(self._rest) < self._needed:
            return
        (size,) = struct.unpack_from("<i", self._rest, length_at)
        if size < 0 or (size > MAX_METADATA_BYTES and not has_mark):  # four letters, read as a size
            raise TableError(NOT_ARROW)
        if size > MAX_METADATA_BYTES:
            raise TableError(TOO_LARGE_METADATA)
        self._metadata_size = size
        self._needed += size
        self._has_ended = size == 0

    def _read_metadata(self) -> None:
        metadata_at = self._needed - self._metadata_size
        body_size = _read_body_size(bytes(self._rest[metadata_at : self._needed]))
        if body_size < 0:
            raise TableError(NOT_ARROW)
        if body_size > MAX_BODY_BYTES:
            raise TableError(TOO_LARGE_BODY)
        self._needed += body_size
        self._knows_size = True

    def _take(self) -> bytes:
        with memoryview(self._rest) as rest:
            message = bytes(rest[: self._needed])
        del self._rest[: self._needed]
        self._needed, self._metadata_size, self._knows_size = LENGTH_BYTES, 0, False
        return message


def _read_body_size(metadata: bytes) -> int:
    """Return the length of a message's body.

    Raises TableError if the message is malformed, compressed or big-endian.
    """
    try:
        message = _root(metadata)
        length_at = _field(metadata, message, BODY_LENGTH)
        size: int = struct.unpack_from("<q", metadata, length_at)[0] if length_at else 0
        header_at = _field(metadata, message, HEADER)
        header = header_at + struct.unpack_from("<I", metadata, header_at)[0]
        is_schema = metadata[_field(metadata, message, HEADER_TYPE)] == SCHEMA
        endianness_at = is_schema and _field(metadata, header, ENDIANNESS)
        is_big_endian = endianness_at and any(metadata[endianness_at : endianness_at + 2])
        is_compressed = not is_schema and size > 0 and _field(metadata, header, COMPRESSION)
    except (struct.error, IndexError) as error:
        raise TableError(NOT_ARROW) from error
    if is_big_endian:  # pyarrow converts it only when it reads a whole stream by itself
        raise TableError("the Arrow stream must be little-endian, got big-endian data")
    if is_compressed:
        raise TableError("the Arrow stream must not be compressed. Write it without compression")
    return size


def _root(buffer: bytes) -> int:
    """Return the position of a flatbuffer's root table."""
    root: int = struct.unpack_from("<I", buffer, 0)[0]
    return root


def _field(buffer: bytes, table: int, number: int) -> int:
    """Return the position of a field of a flatbuffer's table, or 0 if the table lacks it."""
    vtable = table - struct.unpack_from("<i", buffer, table)[0]
    if vtable < 0:
        raise struct.error
    (vtable_size,) = struct.unpack_from("<H", buffer, vtable)
    entry = 4 + 2 * number
    offset = struct.unpack_from("<H", buffer, vtable + entry)[0] if entry < vtable_size else 0
    return table + offset if offset else 0
