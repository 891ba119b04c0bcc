"""The messages of an Arrow stream, cut out of the pieces that a body comes in.

Each is told apart before it is decoded, so that no stream can make the service allocate what it
likes: Apache Arrow's columnar format, "Encapsulated message format", and its Message.fbs.
"""

import struct
from collections.abc import Iterator

from models.csv_table import TableError

MAX_METADATA_BYTES = 64 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024  # 260,000 rows of eight doubles
CONTINUATION = b"\xff\xff\xff\xff"  # stands before the metadata's length since Arrow 0.15
LENGTH_BYTES = 4
HEADER_TYPE, HEADER, BODY_LENGTH = 1, 2, 3  # fields of the table Message
ENDIANNESS, COMPRESSION = 0, 3  # fields of its header: of the table Schema, of RecordBatch
SCHEMA = 1  # a HeaderType


class FrameBuffer:
    """Holds back the message that is not yet whole; nothing may follow the end-of-stream mark."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._needed = LENGTH_BYTES  # to know more of the message or to have it whole
        self._metadata_size = 0  # once it is known
        self._is_sized = False  # whether what is needed is the whole message
        self._has_ended = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that are whole now.

        Raises TableError where they are none or too large, or where bytes follow the end.
        """
        self._rest += data
        while len(self._rest) >= self._needed:
            if self._has_ended:
                self._end()
                return
            if self._is_sized:
                yield self._take()
            elif self._metadata_size:
                self._read_metadata()
            else:
                self._read_prefix()

    def _end(self) -> None:
        """Drop the end-of-stream mark; raises TableError where bytes follow it."""
        has_more = len(self._rest) > self._needed
        self._rest.clear()
        self._needed = 0
        if has_more:
            raise TableError(
                "the Arrow stream must end at its end-of-stream mark, but more bytes follow it"
            )

    def close(self) -> None:
        """Raise TableError where the stream ended within a message."""
        if self._rest:
            raise TableError("the Arrow stream must end after a message, however it is cut off")

    def _read_prefix(self) -> None:
        is_marked = self._rest.startswith(CONTINUATION)
        length_at = len(CONTINUATION) if is_marked else 0
        self._needed = length_at + LENGTH_BYTES
        if len(self._rest) < self._needed:
            return
        (size,) = struct.unpack_from("<i", self._rest, length_at)
        if not (is_marked or 0 <= size <= MAX_METADATA_BYTES):
            raise _not_arrow()
        _require_size(size, MAX_METADATA_BYTES)
        self._metadata_size = size
        self._needed += size
        self._has_ended = size == 0

    def _read_metadata(self) -> None:
        metadata_at = self._needed - self._metadata_size
        body_size = _body_size(bytes(self._rest[metadata_at : self._needed]))
        _require_size(body_size, MAX_BODY_BYTES)
        self._needed += body_size
        self._is_sized = True

    def _take(self) -> bytes:
        with memoryview(self._rest) as rest:
            frame = bytes(rest[: self._needed])
        del self._rest[: self._needed]
        self._needed, self._metadata_size, self._is_sized = LENGTH_BYTES, 0, False
        return frame


def _not_arrow() -> TableError:
    return TableError("the body must be an Arrow IPC stream, however it is not")


def _require_size(size: int, most: int) -> None:
    if not 0 <= size <= most:
        raise TableError(
            f"a message of the Arrow stream must have at most {most:,} bytes, however it has more; "
            "write smaller record batches"
        )


def _body_size(metadata: bytes) -> int:
    """The length of a message's body; raises TableError where its numbers are not plain ones."""
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
        raise _not_arrow() from error
    if is_big_endian:  # which pyarrow would see to, but only for who reads a whole stream
        raise TableError("the Arrow stream must be little-endian, however it is big-endian")
    if is_compressed:
        raise TableError("the Arrow stream must not be compressed, however it is")
    return size


def _root(buffer: bytes) -> int:
    """Where the root table of a flatbuffer is."""
    root: int = struct.unpack_from("<I", buffer, 0)[0]
    return root


def _field(buffer: bytes, table: int, number: int) -> int:
    """Where a field of a flatbuffer's table is; 0 where the table has none."""
    vtable = table - struct.unpack_from("<i", buffer, table)[0]
    if vtable < 0:
        raise struct.error
    (vtable_size,) = struct.unpack_from("<H", buffer, vtable)
    entry = 4 + 2 * number
    offset = struct.unpack_from("<H", buffer, vtable + entry)[0] if entry < vtable_size else 0
    return table + offset if offset else 0
