"""Generates valid and mutated requests to every endpoint that accepts a body."""

import gzip
import io
import json
import struct
import zlib
from collections.abc import Callable
from random import Random
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from models.features import FEATURE_NAMES, FEATURES
from tests.fuzz.case import Case
from tests.fuzz.mutator import (
    NOT_NUMBERS,
    ODD_NUMBERS,
    damage_bytes,
    damage_row,
    dump,
    nest,
    number,
    odd_value,
    reencode,
    row,
)

TOKEN = "fuzz-fuzz-fuzz-fuzz"
JSON, CSV, NDJSON = "application/json", "text/csv", "application/x-ndjson"
ARROW, BYTES = "application/vnd.apache.arrow.stream", "application/octet-stream"

EQUIVALENT_MEDIA_TYPES = (
    "{}",
    "{}; charset=utf-8",
    '{};charset="UTF-8"',
    "{} ; q=1",
    "{}; charset=utf8",
)
OTHER_MEDIA_TYPES = (
    *(
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application",
        "/",
        "*/*",
        ";",
        "\xff",
    ),
    *(
        "{}; charset=utf-16",
        "{}; charset=latin-1",
        "{}x",
        "{}; charset*=utf-16''x",
        "{}; charset=\xe9",
    ),
    *("{}; charset*0*=utf-16''a; charset*1=b", "{}; charset*=utf-16''x; charset*0=b", "x{}"),
    *("{}; charset*" + "1" * 5_000 + "*=x", '{}; charset="', "multipart/form-data; boundary=a"),
)
BAD_QUERIES = (
    *(
        "model=nobody",
        "model=..%2fnotebook",
        "model=%00",
        "model=%ff",
        "model=",
        "other=1",
        "level=",
    ),
    *(
        "level=nan",
        "level=1e400",
        "level=0.85",
        "level=high",
        "level=0.9&level=0.9",
        "%00=%00",
        "&;=&==1",
    ),
    *(
        "model=notebook&model=notebook",
        "model={}",
        "{}=1",
        "{}={}&{}={}",
        "level={}",
        "%ED%A0%80=1",
    ),
)
SHORT_BODIES = (b"", b" ", b"null", b"[]", b"{}", b"0", b'""', b"\n", b"[[]]", b"[{}]")
LEVELS = ("0.5", "0.8", "0.9", "0.95")


def make_case(seed: int, index: int) -> Case:
    """The request with this index; the same for the same seed."""
    rng = Random(seed * 1_000_000_007 + index)
    marker = f"Mk{rng.randrange(10**12):012}Q"
    (generate,) = rng.choices(list(GENERATORS), GENERATORS.values())
    return generate(rng, marker)


def _predict(rng: Random, marker: str) -> Case:
    body = _mutate(
        rng, lambda rng, *, damaged: _object(rng, marker, damaged=damaged), marker, 65_536
    )
    return _case(rng, "predict", "/predict", JSON, body, marker)


def _explain(rng: Random, marker: str) -> Case:
    body = _mutate(
        rng, lambda rng, *, damaged: _object(rng, marker, damaged=damaged), marker, 65_536
    )
    return _case(rng, "explain", "/explain", JSON, body, marker)


def _array(rng: Random, marker: str) -> Case:
    body = _mutate(
        rng, lambda rng, *, damaged: _objects(rng, marker, "[", ",", "]", damaged=damaged), marker
    )
    return _case(rng, "array", "/predict/batch", JSON, body, marker)


def _ndjson(rng: Random, marker: str) -> Case:
    ending = rng.choice(("\n", "\n", "\r\n", "\n\n", "\n \n"))
    end = rng.choice((ending, ""))
    body = _mutate(
        rng, lambda rng, *, damaged: _objects(rng, marker, "", ending, end, damaged=damaged), marker
    )
    if rng.random() < 0.01:
        body = _pad_line(rng, body, b",", b" ")
    return _case(rng, "ndjson", "/predict/batch", NDJSON, body, marker)


def _columns(rng: Random, marker: str) -> Case:
    def make(rng: Random, *, damaged: bool) -> bytes:
        rows = rng.randrange(4)
        columns = [[number(rng, feature) for _ in range(rows)] for feature in FEATURES]
        if damaged and rows and rng.random() < 0.5:
            column = rng.choice(columns)
            column[rng.randrange(rows)] = odd_value(rng, marker)
            if rng.random() < 0.2:
                column.append("1")
        pairs = [
            (name, f"[{','.join(column)}]")
            for name, column in zip(FEATURE_NAMES, columns, strict=True)
        ]
        if damaged and rng.random() < 0.5:
            damage_row(rng, pairs, marker)
        return dump(pairs).encode()

    return _case(rng, "columns", "/predict/batch", JSON, _mutate(rng, make, marker), marker)


def _csv(rng: Random, marker: str) -> Case:
    def make(rng: Random, *, damaged: bool) -> bytes:
        header = [*FEATURE_NAMES]
        lines = [[number(rng, feature) for feature in FEATURES] for _ in range(rng.randrange(4))]
        if rng.random() < 0.2:
            at = rng.randrange(9)
            header.insert(at, marker)
            for line in lines:
                line.insert(at, rng.choice(("1", marker, '"a,""b"', "")))
        if damaged:
            _damage_table(rng, header, lines, marker)
        ending = rng.choice(("\n", "\n", "\r\n", "\n\n", "\r\n \n"))
        text = ending.join(",".join(line) for line in [header, *lines]) + rng.choice((ending, ""))
        return text.encode()

    body = _mutate(rng, make, marker, deep=False)
    if rng.random() < 0.01:
        body = _pad_line(rng, body, b".", b"0")
    return _case(rng, "csv", "/predict/batch", CSV, body, marker)


def _damage_table(rng: Random, header: list[str], lines: list[list[str]], marker: str) -> None:
    line = rng.choice([header, *lines, *lines, *lines])
    at, draw = rng.randrange(len(line)), rng.randrange(6)
    if draw == 0:
        line[at] = rng.choice((*NOT_NUMBERS, *ODD_NUMBERS, " 33 ", "1 2", "", marker, "inf", "nan"))
    elif draw == 1:
        line.append(rng.choice(("", "1", marker)))
    elif draw == 2:
        del line[at]
    elif draw == 3:
        line[at] = rng.choice(
            ('"{}"', '"{}', '{}"', '"{}""', '""{}', " {}", "{}\r", "\x1c{}")
        ).format(line[at])
    elif draw == 4:
        line[at] = line[at - 1]
    else:
        line.reverse()


def _arrow(rng: Random, marker: str) -> Case:
    names = [*FEATURE_NAMES]
    count, damaged = rng.randrange(4), rng.random() < 0.3
    numbers = [[float(number(rng, feature)) for _ in range(count)] for feature in FEATURES]
    arrays = [
        pa.array(column, rng.choice((pa.float64(), pa.float64(), pa.float32())))
        for column in numbers
    ]
    if damaged:
        at = rng.randrange(8)
        arrays[at] = _odd_array(rng, arrays[at], marker)
    if rng.random() < 0.2:
        names.append(rng.choice((marker, "MedInc", "é")))
        arrays.append(pa.array([marker] * count))
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=rng.choice((None,) * 30 + ("lz4", "zstd")))
    batch = pa.record_batch(arrays, names=names)
    with pa.ipc.new_stream(sink, batch.schema, options=options) as stream:
        for _ in range(rng.choice((1, 1, 1, 2))):
            stream.write_batch(batch)
    body = sink.getvalue()
    if rng.random() < 0.6:
        body = _damage_arrow(rng, body, marker)
    return _case(rng, "arrow", "/predict/batch", ARROW, body, marker)


def _odd_array(rng: Random, array: pa.Array, marker: str) -> pa.Array:
    count = len(array)
    return rng.choice(
        (
            lambda: pa.array([None] * count, pa.float64()),
            lambda: pa.array([float("nan")] * count),
            lambda: pa.array([40] * count, rng.choice((pa.int8(), pa.uint64(), pa.int64()))),
            lambda: pa.array([2**63] * count, pa.uint64()),
            array.dictionary_encode,
            lambda: pa.array([marker] * count),
            lambda: pa.array([[1.0]] * count, pa.list_(pa.float64())),
            lambda: pa.array([True] * count),
            lambda: pa.nulls(count),
            lambda: array.cast(pa.float32()).cast(pa.float16(), safe=False) if count else array,
        )
    )()


def _damage_arrow(rng: Random, body: bytes, marker: str) -> bytes:
    if rng.random() < 0.3:
        return damage_bytes(rng, body, body, marker)
    damaged = bytearray(body)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(damaged))
        if rng.random() < 0.7:
            damaged[at] ^= 1 << rng.randrange(8)
        else:  # overwrite an aligned integer, which may be a length or an offset
            at -= at % 4
            size = rng.choice(
                (0, 1, 2**31 - 1, 2**32 - 1, rng.randrange(2**32), rng.randrange(256))
            )
            damaged[at : at + 4] = struct.pack("<I", size)
    return bytes(damaged)


def _v2_json(rng: Random, marker: str) -> Case:
    def make(rng: Random, *, damaged: bool) -> bytes:
        count = rng.randrange(3)
        lines = [[number(rng, feature) for feature in FEATURES] for _ in range(count)]
        if damaged and count and rng.random() < 0.5:
            rng.choice(lines)[rng.randrange(8)] = odd_value(rng, marker)
        if rng.random() < 0.3:
            tensors = [
                _tensor(rng, name, [count], f"[{','.join(column)}]", marker, damaged=damaged)
                for name, column in zip(
                    FEATURE_NAMES, zip(*lines, strict=True) if lines else [[]] * 8, strict=True
                )
            ]
        else:
            flat = rng.random() < 0.5
            text = ",".join(",".join(line) if flat else f"[{','.join(line)}]" for line in lines)
            tensors = [_tensor(rng, "features", [count, 8], f"[{text}]", marker, damaged=damaged)]
        pairs = [("id", f'"id-{count}"'), ("inputs", f"[{','.join(tensors)}]")]
        if damaged and rng.random() < 0.3:
            damage_row(rng, pairs, marker)
        return dump(pairs).encode()

    body = _mutate(rng, make, marker)
    headers = [("Content-Type", rng.choice((JSON, BYTES, "text/plain", "\xff")))]
    if rng.random() < 0.1:
        length = rng.choice(
            (str(len(body)), str(len(body)), "0", "-1", "1e3", "9" * 5_000, "\xb2", "x")
        )
        headers.append(("Inference-Header-Content-Length", length))
    error_statuses: tuple[int, ...] = ()
    draw = rng.random()
    if draw < 0.05:
        body, encoding = rng.choice(
            ((gzip.compress(body, 1, mtime=0), "gzip"), (zlib.compress(body, 1), "deflate"))
        )
        if rng.random() < 0.4:
            body = damage_bytes(rng, body, body, marker)
        headers.append(("Content-Encoding", encoding))
    elif draw < 0.07:
        headers.append(("Content-Encoding", rng.choice(("br", "gzip, gzip", marker, "\xff"))))
        error_statuses = (404, 415)
    return Case("v2", _v2_path(rng, marker), tuple(headers), body, marker, error_statuses)


def _tensor(
    rng: Random, name: str, shape: list[int], data: str, marker: str, *, damaged: bool
) -> str:
    pairs = [
        ("name", json.dumps(name)),
        ("shape", json.dumps(shape)),
        ("datatype", rng.choice(('"FP64"',) * 8 + ('"FP32"', '"INT64"'))),
        ("data", data),
    ]
    if damaged and rng.random() < 0.4:
        at = rng.randrange(len(pairs))
        value = rng.choice(
            (
                odd_value(rng, marker),
                "[-1, 8]",
                "[1, 2, 3, 4, 5, 6, 7, 8]",
                "[2147483647, 8]",
                "[0, 8]",
                "[2, 0]",
                "[[], []]",
            )
        )
        pairs[at] = (pairs[at][0], value)
    return dump(pairs)


def _v2_binary(rng: Random, marker: str) -> Case:
    count = rng.randrange(4)
    rows = np.array([[float(number(rng, feature)) for feature in FEATURES] for _ in range(count)])
    if count and rng.random() < 0.2:
        rows[rng.randrange(count), rng.randrange(8)] = rng.choice(
            (np.nan, np.inf, -np.inf, 1e308, -0.0)
        )
    buffer = rows.astype("<f8").tobytes()
    if rng.random() < 0.2:
        if rng.random() < 0.5:
            buffer = damage_bytes(rng, buffer, buffer, marker)
        headers = (("Inference-Header-Content-Length", "0"),)
        return Case("v2", _v2_path(rng, marker), headers, buffer, marker)
    size = rng.choice((len(buffer),) * 6 + (0, 1, len(buffer) + 8, 2**31, -1))
    tensor = {
        "name": "features",
        "shape": [rng.choice((count, count, count, 2**31 - 1)), 8],
        "datatype": rng.choice(("FP64", "FP64", "FP64", "FP32", "UINT8", "BOOL", marker)),
        "parameters": {"binary_data_size": size},
    }
    text = json.dumps(
        {"inputs": [tensor], "parameters": {"binary_data_output": rng.random() < 0.5}}
    ).encode()
    length = rng.choice((len(text),) * 8 + (len(text) - 1, len(text) + 1, 2**31))
    body = text + buffer
    if rng.random() < 0.3:
        body = damage_bytes(rng, body, body, marker)
    headers = (("Inference-Header-Content-Length", str(length)), ("Content-Type", BYTES))
    return Case("v2", _v2_path(rng, marker), headers, body, marker)


def _v2_path(rng: Random, marker: str) -> str:
    if rng.random() < 0.97:
        return "/v2/models/notebook/infer"
    return f"/v2/models/{rng.choice((marker, '%00', 'notebook/versions/' + marker))}/infer"


def _reload(rng: Random, marker: str) -> Case:
    name = rng.choice(
        ("notebook", "notebook", "..", "%2e%2e%2f", "%00", "%ff", marker, quote("é"), "a" * 300)
    )
    scheme = rng.choice(("Bearer ", "bearer ", "Basic ", "", marker + " "))
    token = rng.choice((TOKEN, TOKEN, TOKEN[:-1], marker, "\xff" * 16, ""))
    body = rng.randbytes(rng.randrange(100))
    return Case(
        "reload", f"/models/{name}/reload", (("Authorization", scheme + token),), body, marker
    )


GENERATORS: dict[Callable[[Random, str], Case], int] = {
    _predict: 300, _array: 130, _columns: 90, _csv: 130, _ndjson: 130, _arrow: 90, _explain: 15,
    _v2_json: 80, _v2_binary: 30, _reload: 5,
}  # fmt: skip
"""The frequency of each, per thousand."""


def _object(rng: Random, marker: str, *, damaged: bool) -> bytes:
    pairs = damage_row(rng, row(rng), marker) if damaged else row(rng)
    return dump(pairs, rng.choice(("", "", " ", "\t\r\n "))).encode(errors="replace")


def _objects(
    rng: Random, marker: str, start: str, between: str, end: str, *, damaged: bool
) -> bytes:
    rows = [row(rng) for _ in range(rng.randrange(4))]
    if damaged and rows:
        for pairs in rng.choice((rows, [rng.choice(rows)])):
            damage_row(rng, pairs, marker)
    texts = [dump(pairs) for pairs in rows]
    if damaged and rng.random() < 0.1:
        texts.append(
            rng.choice(("null", "1", "[]", "", "{}", f'"{marker}"', "[", "]", '"', "}],[{"))
        )
    return (start + between.join(texts) + end).encode(errors="replace")


def _mutate(
    rng: Random,
    make: Callable[..., bytes],
    marker: str,
    max_bytes: int = 200_000,
    *,
    deep: bool = True,
) -> bytes:
    """A valid body, one with structural mutations, or one with edited bytes."""
    draw = rng.random()
    if draw < 0.6:
        return make(rng, damaged=draw > 0.2)
    body = make(rng, damaged=False)
    if draw < 0.93:
        return damage_bytes(rng, body, make(rng, damaged=True), marker)
    if draw < 0.96:
        return reencode(rng, body)
    if draw < 0.97 and deep:
        return nest(rng, body.decode(), max_bytes).encode()
    padding = b" " * (rng.choice((65_535, 65_536, 65_537)) - len(body))
    return body + padding if draw < 0.975 else rng.choice((*SHORT_BODIES, marker.encode()))


def _pad_line(rng: Random, body: bytes, after: bytes, filler: bytes) -> bytes:
    """Pad a line to about the size limit or beyond, without changing its meaning."""
    at = body.rfind(after) + 1
    length = rng.choice((65_536 - len(body), 65_537 - len(body), 66_000, 90_000))
    return body[:at] + filler * length + body[at:]


def _case(rng: Random, kind: str, path: str, media_type: str, body: bytes, marker: str) -> Case:
    draw, error_statuses, framing = rng.random(), (), "length"
    content_type = (
        rng.choice(EQUIVALENT_MEDIA_TYPES).format(media_type) if draw < 0.1 else media_type
    )
    headers = [("Content-Type", content_type)]
    if kind in ("predict", "array", "columns", "csv", "ndjson", "arrow"):
        path += _good_query(rng, kind)
    if 0.1 < draw < 0.12:
        headers = [("Content-Type", rng.choice(OTHER_MEDIA_TYPES).format(media_type))]
        error_statuses = (415,)
    elif draw < 0.125:
        headers.append(("Content-Encoding", rng.choice(("gzip", "br", "identity, gzip", marker))))
        error_statuses = (415,)
    elif draw < 0.14:
        path = f"{path.partition('?')[0]}?{rng.choice(BAD_QUERIES).replace('{}', marker)}"
        error_statuses = (404, 413, 422)
    elif draw < 0.18:
        framing = "chunked"
    elif draw < 0.19:
        framing = "broken"
        wrong_length = rng.choice(
            (len(body) + 9, max(len(body) - 9, 0), "-1", "x", "1e3", "9" * 30, "")
        )
        broken = (
            ("Content-Length", str(wrong_length)),
            ("Transfer-Encoding", rng.choice(("x", "chunked"))),
        )
        headers.append(rng.choice(broken))
    if draw > 0.9:
        headers.append((f"X-{marker}", marker))
    return Case(kind, path, tuple(headers), body, marker, error_statuses, framing)


def _good_query(rng: Random, kind: str) -> str:
    draw = rng.random()
    if draw < 0.1:
        return f"?level={rng.choice(LEVELS)}"
    if draw < 0.3:  # the champion predicts concurrent rows in micro-batches
        return "?model=champion"
    return "?errors=true" if kind == "csv" and draw < 0.7 else ""
