"""Arrow streams: record batches of the eight columns in, of predictions out."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from app.inference.formats.arrow_messages import MessageBuffer
from app.inference.row_errors import RowError, invalid_number
from app.inference.rows import Rows, check_bounds
from app.inference.scored import Scored, Scorer
from models.arrays import FloatArray
from models.csv_table import TableError, choose_columns
from models.features import FEATURE_NAMES

ROWS_AT_ONCE = 16_384
PREDICTION_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.float64()) for name in ("prediction", "lower", "upper")),
        pa.field("error", pa.string()),
    ]
)


class ArrowReader:
    """Parses an Arrow IPC stream; columns of any number type, in any order."""

    def __init__(self) -> None:
        self._messages = MessageBuffer()
        self._schema: pa.Schema | None = None

    def feed(self, data: bytes) -> Iterator[Rows]:
        """Return the rows of all complete record batches.

        Raises TableError if the stream is damaged, compressed, or has other columns.
        """
        for message in self._messages.feed(data):
            try:
                yield from self._decode(pa.ipc.read_message(pa.py_buffer(message)))
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                raise TableError("the Arrow stream must be valid, but it is damaged") from error

    def close(self) -> Iterator[Rows]:
        """Return nothing. Raises TableError if the stream is cut off or has no schema."""
        self._messages.close()
        if self._schema is None:
            raise TableError("the body must be an Arrow IPC stream, but it is empty")
        return iter([])

    def _decode(self, message: pa.Message) -> Iterator[Rows]:
        if message.type == "schema" and self._schema is None:
            self._schema = pa.ipc.read_schema(message)
            require_columns("the body", self._schema)
        elif message.type == "record batch" and self._schema is not None:
            yield from read_record_batch(pa.ipc.read_record_batch(message, self._schema))
        else:
            raise TableError(
                "the Arrow stream must have one schema, then record batches, got another message. "
                "Send columns without dictionary encoding"
            )


def require_columns(name: str, schema: pa.Schema) -> None:
    """Raise TableError unless a schema has the eight features as columns of numbers."""
    choose_columns(name, schema.names, [FEATURE_NAMES])
    for feature in FEATURE_NAMES:
        column_type = schema.field(feature).type
        if not (pa.types.is_integer(column_type) or pa.types.is_floating(column_type)):
            raise TableError(
                f"the column {feature} of {name} must have an integer or float type, got another"
            )


def read_record_batch(batch: pa.RecordBatch) -> Iterator[Rows]:
    """Return the rows of a record batch that has the eight features, in chunks."""
    columns = batch.select(FEATURE_NAMES)
    columns.validate(full=True)
    for start in range(0, len(batch), ROWS_AT_ONCE):
        yield _to_rows(columns.slice(start, ROWS_AT_ONCE))


def _to_rows(columns: pa.RecordBatch) -> Rows:
    values: FloatArray = np.empty((len(columns), len(FEATURE_NAMES)), order="F")
    null_errors: dict[int, RowError] = {}  # for the first null of each row
    for index, (feature, column) in enumerate(zip(FEATURE_NAMES, columns.columns, strict=True)):
        values[:, index] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        if column.null_count:
            nulls = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)).tolist()
            null_errors = dict.fromkeys(nulls, invalid_number(feature, "null")) | null_errors
    checked = check_bounds(values)
    return Rows(checked.values, checked.errors | null_errors)


def to_record_batch(scored: Scored) -> pa.RecordBatch:
    """Return the predictions; null where rejected, with the reason in `error`."""
    rejected, errors = None, pa.nulls(len(scored.rows), pa.string())
    if scored.rows.errors:
        rejected = np.isnan(scored.estimates[:, 0])
        sentences = [scored.rows.errors.get(index) for index in range(len(scored.rows))]
        errors = pa.array(sentences, pa.string())
    columns = [pa.array(column, mask=rejected) for column in scored.estimates.T]
    return pa.record_batch([*columns, errors], schema=PREDICTION_SCHEMA)


class ArrowWriter:
    """Writes a record batch of predictions for each chunk of rows."""

    with_warnings = False

    def __init__(self, scorer: Scorer) -> None:
        metadata = {"model": scorer.model.identity, "level": str(scorer.level)}
        self._sink = Sink()
        self._stream = pa.ipc.new_stream(self._sink, PREDICTION_SCHEMA.with_metadata(metadata))

    def start(self) -> bytes:
        """Return the schema."""
        return self._sink.take()

    def write(self, scored: Scored) -> bytes:
        """Return a record batch."""
        self._stream.write_batch(to_record_batch(scored))
        return self._sink.take()

    def end(self) -> bytes:
        """Return the end-of-stream mark."""
        self._stream.close()
        return self._sink.take()


class Sink:
    """A file object that pyarrow writes to, and that is emptied after each write."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._written = 0

    def write(self, data: pa.Buffer) -> int:
        """Keep some bytes until they are taken."""
        self._pieces.append(bytes(data))
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        """Return the number of bytes written in total."""
        return self._written

    def flush(self) -> None:
        """Do nothing: there is no further buffer."""

    def close(self) -> None:
        """Do nothing: the bytes are still to be taken."""

    def take(self) -> bytes:
        """Remove and return the bytes that were written since the last call."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
