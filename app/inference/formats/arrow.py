"""An Arrow stream: record batches of the eight columns in, of answers out."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from app.inference.formats.arrow_messages import FrameBuffer
from app.inference.rows import RowError, Rows, of_numbers
from app.inference.scored import Scored, Scorer
from models.arrays import FloatArray
from models.csv_table import TableError, choose_columns
from models.features import FEATURE_NAMES, FEATURES

ROWS_AT_ONCE = 16_384
ANSWERS = pa.schema(
    [
        *(pa.field(name, pa.float64()) for name in ("prediction", "lower", "upper")),
        pa.field("error", pa.string()),
    ]
)


class ArrowReader:
    """Rows from an Arrow stream, as it comes; columns of any number type, in any order."""

    def __init__(self) -> None:
        self._frames = FrameBuffer()
        self._schema: pa.Schema | None = None

    def feed(self, data: bytes) -> Iterator[Rows]:
        """The rows of the batches that are whole now.

        Raises TableError where the stream is damaged, compressed, or of other columns.
        """
        for frame in self._frames.feed(data):
            try:
                yield from self._decode(pa.ipc.read_message(pa.py_buffer(frame)))
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                raise TableError("the Arrow stream must be whole, however it is damaged") from error

    def close(self) -> Iterator[Rows]:
        """Nothing more; raises TableError where the stream is cut off, or has no schema."""
        self._frames.close()
        if self._schema is None:
            raise TableError("the body must be an Arrow IPC stream, however it is empty")
        return iter([])

    def _decode(self, message: pa.Message) -> Iterator[Rows]:
        if message.type == "schema" and self._schema is None:
            self._schema = pa.ipc.read_schema(message)
            require_columns("the body", self._schema)
        elif message.type == "record batch" and self._schema is not None:
            yield from rows_of(pa.ipc.read_record_batch(message, self._schema))
        else:
            raise TableError(
                "the Arrow stream must be a schema and record batches, however another message came"
            )


def require_columns(name: str, schema: pa.Schema) -> None:
    """Raise TableError unless a schema has the eight features, all of them numbers."""
    choose_columns(name, schema.names, [FEATURE_NAMES])
    for feature in FEATURES:
        kind = schema.field(feature.name).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise TableError(f"{name} must have numbers as {feature.name}, however it has not")


def rows_of(batch: pa.RecordBatch) -> Iterator[Rows]:
    """The rows of a record batch that has the eight features, a part at a time."""
    columns = batch.select(FEATURE_NAMES)
    columns.validate(full=True)
    for start in range(0, len(batch), ROWS_AT_ONCE):
        yield _rows(columns.slice(start, ROWS_AT_ONCE))


def _rows(columns: pa.RecordBatch) -> Rows:
    values: FloatArray = np.empty((len(columns), len(FEATURES)), order="F")
    refused: dict[int, RowError] = {}
    for index, (feature, column) in enumerate(zip(FEATURES, columns.columns, strict=True)):
        values[:, index] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        if column.null_count:
            sentence = f"{feature.name} must be a number {feature.bounds}, however null came."
            refusal = RowError(sentence, "float_type")
            absent = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)).tolist()
            refused = dict.fromkeys(absent, refusal) | refused
    checked = of_numbers(values)
    return Rows(checked.values, checked.refused | refused)


def answers_of(scored: Scored) -> pa.RecordBatch:
    """The answers to some rows; null where refused, with the reason in `error`."""
    refused, errors = None, pa.nulls(len(scored.rows), pa.string())
    if scored.rows.refused:
        refused = np.isnan(scored.numbers[:, 0])
        each = [scored.rows.refused.get(index) for index in range(len(scored.rows))]
        errors = pa.array(each, pa.string())
    numbers = [pa.array(column, mask=refused) for column in scored.numbers.T]
    return pa.record_batch([*numbers, errors], schema=ANSWERS)


class ArrowWriter:
    """A record batch of answers for each part of the rows."""

    warns = False

    def __init__(self, scorer: Scorer) -> None:
        told = {"model": scorer.model.identity, "level": str(scorer.level)}
        self._sink = Sink()
        self._stream = pa.ipc.new_stream(self._sink, ANSWERS.with_metadata(told))

    def start(self) -> bytes:
        """The schema."""
        return self._sink.take()

    def write(self, scored: Scored) -> bytes:
        """The batch of some rows."""
        self._stream.write_batch(answers_of(scored))
        return self._sink.take()

    def end(self) -> bytes:
        """The mark of the end."""
        self._stream.close()
        return self._sink.take()


class Sink:
    """A file for pyarrow to write, which is emptied in between."""

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
        """How much was written in all."""
        return self._written

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """What was written is still to be taken."""

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
