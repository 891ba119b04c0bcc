import io
import json
import struct

import httpx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.inference.formats.arrow import ArrowReader
from app.inference.formats.csv import CSVReader
from app.inference.formats.ndjson import NDJSONReader
from models.csv_table import TableError
from models.features import FEATURE_NAMES
from tests.support.rows import ROW
from tests.support.servers import serving

CSV, NDJSON = "text/csv", "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
BAD_ROWS = [
    ({**ROW, "HouseAge": 500}, "HouseAge must be a number from 0 to 200 (years), got a number that is too large."),
    ({**ROW, "MedInc": "8.3"}, "MedInc must be a number from 0 to 100 (10,000 USD), got a string."),
    ({**ROW, "MedInc": True}, "MedInc must be a number from 0 to 100 (10,000 USD), got true or false."),
    ({**ROW, "MedInc": None}, "MedInc must be a number from 0 to 100 (10,000 USD), got null."),
    ({k: v for k, v in ROW.items() if k != "MedInc"}, "MedInc must be a number from 0 to 100 (10,000 USD), but it is missing."),
    ({**ROW, "medinc": 1}, "The features must be MedInc, HouseAge, AveRooms, AveBedrms, Population, AveOccup, Latitude, Longitude; got an unknown one. Did you mean MedInc?"),
    (3, "The row must be a JSON object of the eight features, got a number."),
    ([], "The row must be a JSON object of the eight features, got an array."),
    ({name: [] for name in ROW}, "MedInc must be a number from 0 to 100 (10,000 USD), got an array. And 7 more."),
]  # fmt: skip


@pytest.fixture
def rows(saved):
    return [dict(zip(FEATURE_NAMES, row, strict=True)) for row in saved.golden_rows.tolist()]


def post(client, content, media_type, query=""):
    return client.post(
        f"/predict/batch{query}", content=content, headers={"content-type": media_type}
    )


def as_csv(rows, names=FEATURE_NAMES):
    lines = [",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)]
    return "\n".join(lines) + "\n"


def as_ndjson(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def as_arrow(table, **options):
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, **options) as stream:
        stream.write_table(table)
    return sink.getvalue()


def as_big_endian(stream):
    """Mark a little-endian stream as big-endian.

    The format omits the endianness if it is little. This points the field's entry in the schema's
    table at another number that is not 0, which reads as `Big`.
    """
    without, with_one = (struct.pack("<4H", 8, 8, at, 4) for at in (0, 4))
    assert without in stream
    return stream.replace(without, with_one, 1)


def columns_of(rows):
    return {name: [row[name] for row in rows] for name in FEATURE_NAMES}


def alone(client, rows, query=""):
    return [client.post(f"/predict{query}", json=row).json() for row in rows]


def expected_in_batch(client, row):
    """The expected prediction of a row in a batch: that of a single request, up to rounding."""
    (answer,) = alone(client, [row])
    close = {"rel": 0, "abs": 1e-12}
    return {
        **answer,
        "prediction": pytest.approx(answer["prediction"], **close),
        "interval": pytest.approx(answer["interval"], **close),
    }


@pytest.mark.parametrize("query", ["", "?model=champion", "?level=0.5"])
def test_each_row_of_a_batch_gets_the_prediction_of_a_single_request(client, rows, query):
    expected = alone(client, rows, query)
    numbers = [[a["prediction"], a["interval"]["lower"], a["interval"]["upper"]] for a in expected]

    in_json = client.post(f"/predict/batch{query}", json=rows)
    in_columns = client.post(f"/predict/batch{query}", json=columns_of(rows))
    in_ndjson = post(client, as_ndjson(rows), NDJSON, query)
    in_csv = post(client, as_csv(rows), CSV, query)
    in_arrow = post(client, as_arrow(pa.table(columns_of(rows))), ARROW, query)

    close = {"rel": 0, "abs": 1e-9}
    for answers in (in_json.json(), [json.loads(line) for line in in_ndjson.text.splitlines()]):
        for answer, single in zip(answers, expected, strict=True):
            assert answer["interval"] == pytest.approx(single["interval"], **close)
            assert answer["prediction"] == pytest.approx(single["prediction"], **close)
            assert list(answer) == list(single)
            assert {**answer, "interval": 0, "prediction": 0} == {
                **single,
                "interval": 0,
                "prediction": 0,
            }
    by_column = np.array([in_columns.json()[name] for name in ("prediction", "lower", "upper")])
    assert np.abs(by_column.T - numbers).max() <= 1e-9
    assert in_columns.json()["model"] == expected[0]["model"]
    header, *lines = in_csv.text.splitlines()
    assert header == "prediction,lower,upper"
    assert np.abs(np.array([line.split(",") for line in lines], float) - numbers).max() <= 1e-9
    table = pa.ipc.open_stream(in_arrow.content).read_all()
    assert table.column_names == ["prediction", "lower", "upper", "error"]
    values = np.stack([table[name].to_numpy() for name in table.column_names[:3]], axis=1)
    assert np.abs(values - numbers).max() <= 1e-9
    assert table["error"].null_count == len(rows)
    assert table.schema.metadata[b"model"].decode() == expected[0]["model"]


def test_the_response_has_the_media_type_of_the_request(client, rows):
    for content, media_type in [
        (as_csv(rows), CSV),
        (as_ndjson(rows), NDJSON),
        (json.dumps(rows), "application/json"),
        (as_arrow(pa.table(columns_of(rows))), ARROW),
    ]:
        answer = post(client, content, media_type)
        assert answer.status_code == 200
        assert answer.headers["content-type"].partition(";")[0] == media_type


@pytest.mark.parametrize(("bad", "sentence"), BAD_ROWS)
def test_an_invalid_row_gets_an_error_in_its_place_and_the_others_are_predicted(
    client, bad, sentence
):
    rows = [ROW, bad, ROW]

    in_json = client.post("/predict/batch", json=rows).json()
    in_ndjson = post(client, as_ndjson(rows), NDJSON).text

    good = expected_in_batch(client, ROW)
    assert in_json == [good, {"error": sentence}, good]
    assert [json.loads(line) for line in in_ndjson.splitlines()] == in_json


@pytest.mark.parametrize("value", [[], [[]], {}])
def test_rows_of_empty_arrays_or_objects_are_each_rejected(client, value):
    rows = [dict.fromkeys(ROW, value)] * 2

    in_json = client.post("/predict/batch", json=rows)
    in_ndjson = post(client, as_ndjson(rows), NDJSON)

    assert [[*answer] for answer in in_json.json()] == [["error"]] * 2
    assert in_ndjson.text.count("error") == 2


def test_an_invalid_row_of_a_columnar_batch_is_null_and_its_error_has_the_row_number(client):
    columns = {name: [number, number, number] for name, number in ROW.items()}
    columns["HouseAge"][1] = 500
    columns["AveOccup"][2] = "2.5"

    answer = client.post("/predict/batch", json=columns).json()

    good = alone(client, [ROW])[0]
    assert answer["prediction"] == [pytest.approx(good["prediction"], abs=1e-12), None, None]
    assert answer["lower"] == [pytest.approx(good["interval"]["lower"], abs=1e-12), None, None]
    assert answer["errors"] == [
        {"error": BAD_ROWS[0][1], "row": 1},
        {
            "error": "AveOccup must be a number above 0 and up to 10,000 (people per household), "
            "got a string.",
            "row": 2,
        },
    ]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("x" + "1," * 7 + "1", "MedInc must be a number from 0 to 100 (10,000 USD), got text."),
        (",1,1,1,1,1,35,-120", "MedInc must be a number from 0 to 100 (10,000 USD), got an empty cell."),
        ("nan,1,1,1,1,1,35,-120", "MedInc must be a number from 0 to 100 (10,000 USD), got text."),
        ("1e999,1,1,1,1,1,35,-120", "MedInc must be a number from 0 to 100 (10,000 USD), got NaN, infinity or a number that is far too large."),
        ("1_0,1,1,1,1,1,35,-120", "MedInc must be a number from 0 to 100 (10,000 USD), got text."),
        ("1,1,1,1,1,1,35", "The line must have 8 cells like the header, got 7."),
        ("1,1,1,1,1,1,35,-120,9", "The line must have 8 cells like the header, got 9."),
        ('"1,1', "The line must be one CSV record, got an unmatched quote."),
        ("\x00" * 8, "The line must have 8 cells like the header, got 1."),
        ("1," * 40_000, "The line must have at most 65,536 bytes, got more."),
        ("\uff18.3,1,1,1,1,1,35,-120", "MedInc must be a number from 0 to 100 (10,000 USD), got text."),
        ("1,1,1,1,1,1,50,-120", "Latitude must be a number from 32 to 43 (degrees), got a number that is too large."),
    ],
)  # fmt: skip
def test_an_invalid_csv_line_gives_an_empty_row_and_the_errors_parameter_adds_the_reason(
    client, line, sentence
):
    good = as_csv([ROW]).splitlines()[1]
    text = f"{','.join(FEATURE_NAMES)}\n{good}\n{line}\n{good}\n"

    plain = post(client, text, CSV).text.splitlines()
    with_errors = post(client, text, CSV, "?errors=true").text.splitlines()

    assert plain[2] == ",,"
    assert plain[1] == plain[3] != ",,"
    assert with_errors == [
        "prediction,lower,upper,error",
        f"{plain[1]},",
        f',,,"{sentence}"',
        f"{plain[3]},",
    ]


def test_csv_may_have_other_columns_any_column_order_quoted_cells_and_crlf(client):
    names = ["Comment", *reversed(FEATURE_NAMES)]
    rows = [{"Comment": '"a, ""quoted"" comment"', **ROW}] * 2
    text = "\ufeff" + as_csv(rows, names).replace("\n", "\r\n") + "\r\n"

    answer = post(client, text.encode(), CSV)

    assert answer.text == post(client, as_csv([ROW] * 2), CSV).text


def test_a_batch_without_rows_gets_a_response_without_rows(client):
    assert post(client, as_csv([]), CSV).text == "prediction,lower,upper\n"
    assert post(client, "", NDJSON).text == ""
    assert client.post("/predict/batch", json=[]).json() == []
    empty = post(client, as_arrow(pa.table(columns_of([ROW])).slice(0, 0)), ARROW)
    assert pa.ipc.open_stream(empty.content).read_all().num_rows == 0


@pytest.mark.parametrize(
    ("content", "media_type", "sentence"),
    [
        ("", CSV, "The body is empty; expected a header line with MedInc, HouseAge, ..."),
        ("MedInc,HouseAge\n1,2\n", CSV, "The body, line 1: the header must have the column AveRooms, but it is missing (also missing: AveBedrms, Population, AveOccup, Latitude, Longitude)."),
        (as_csv([ROW]).replace(",", ";"), CSV, "The body, line 1: the header must have commas between its columns, got semicolons."),
        (as_csv([ROW]).replace(",", "\t"), CSV, "The body, line 1: the header must have commas between its columns, got tabs."),
        (as_csv([ROW]).replace("AveOccup", "aveoccup"), CSV, "The body, line 1: the header must have the column AveOccup, got aveoccup."),
        (as_csv([ROW] * 2).replace("\n", "\r"), CSV, "The body, line 1: the header must end in LF or CRLF, got a lone CR."),
        (as_csv([ROW]).replace("HouseAge", "MedInc"), CSV, "The body, line 1: the header must have the column HouseAge, but it is missing."),
        (b"\xff\n", CSV, "The body, line 1: the header must be in UTF-8, got other bytes."),
        ("3", "application/json", "The body must be an array of rows or an object of eight arrays, got a number."),
        ("[", "application/json", "The body must be JSON in UTF-8, but parsing failed: Expecting value (character 2)."),
        (json.dumps(ROW), "application/json", "MedInc must be an array of numbers, got a number. Send a single row to POST /predict."),
        (json.dumps({**columns_of([ROW]), "x": []}), "application/json", "The features must be MedInc, HouseAge, AveRooms, AveBedrms, Population, AveOccup, Latitude, Longitude; got an unknown one."),
        (json.dumps({**columns_of([ROW]), "MedInc": []}), "application/json", "The eight arrays must have the same length, got different lengths."),
        (json.dumps(columns_of([ROW]))[:-1] + ', "MedInc": [1]}', "application/json", "MedInc must be an array of numbers, but it appears more than once."),
        (b"", ARROW, "The body must be an Arrow IPC stream, but it is empty."),
        (b"ARROW1" * 9, ARROW, "The body must be an Arrow IPC stream, got other data."),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f", ARROW, "The metadata of an Arrow message must have at most 65,536 bytes, got more. Send the eight columns only, and a schema without metadata."),
        (as_arrow(pa.table({"MedInc": [1.0]})), ARROW, "The body must have the column HouseAge, but it is missing (also missing: AveRooms, AveBedrms, Population, AveOccup, Latitude, Longitude)."),
        (as_arrow(pa.table({**columns_of([ROW]), "MedInc": ["1"]})), ARROW, "The column MedInc of the body must have an integer or float type, got another."),
        (as_arrow(pa.table(columns_of([ROW])))[:-30], ARROW, "The Arrow stream must end after a message, but it is cut off."),
        (as_arrow(pa.table(columns_of([ROW])), options=pa.ipc.IpcWriteOptions(compression="zstd")), ARROW, "The Arrow stream must not be compressed. Write it without compression."),
        (as_big_endian(as_arrow(pa.table(columns_of([ROW])))), ARROW, "The Arrow stream must be little-endian, got big-endian data."),
    ],
)  # fmt: skip
def test_a_malformed_batch_is_rejected_as_a_whole_with_422(client, content, media_type, sentence):
    answer = post(client, content, media_type)

    assert (answer.status_code, answer.json()["detail"]) == (422, sentence)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_json_batch_over_the_limit_gets_413_that_names_the_unlimited_media_types(client):
    sentence = (
        "A JSON batch must have at most 10,000 rows and 4,194,304 bytes, got more. Send "
        "text/csv, application/x-ndjson or application/vnd.apache.arrow.stream, which have no limit."
    )
    for body in ([1] * 10_001, columns_of([ROW] * 10_001), [" " * 4_194_304]):
        answer = client.post("/predict/batch", json=body)
        assert (answer.status_code, answer.json()["detail"]) == (413, sentence)

    assert (
        len(client.post("/predict/batch", json=columns_of([ROW] * 10_000)).json()["lower"])
        == 10_000
    )


def test_an_unsupported_media_type_gets_415_that_names_the_supported_ones(client):
    answer = post(client, "x", "text/plain")

    assert answer.status_code == 415
    assert "application/json or text/csv or application/x-ndjson" in answer.json()["detail"]


def test_without_pyarrow_an_arrow_stream_gets_415_that_names_the_extra(tmp_path, monkeypatch):
    """A module that fails to import simulates a missing pyarrow."""
    (tmp_path / "pyarrow.py").write_text("raise ModuleNotFoundError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with serving("--default", "notebook") as server, httpx.Client(base_url=server.url) as client:
        answer = post(client, b"", ARROW)
        others = post(client, as_csv([ROW]), CSV)

    assert answer.status_code == 415
    assert "requires the extra `arrow`" in answer.json()["detail"]
    assert others.status_code == 200


def test_an_arrow_stream_may_have_any_number_type_and_record_batches_of_any_size(
    client, rows, saved
):
    table = pa.table(columns_of(rows * 100))
    kinds = [pa.float32(), pa.float64(), pa.int64(), pa.uint8(), pa.float16()]
    for kind in kinds:
        ages = table["HouseAge"].cast(kind, safe=False)
        changed = table.set_column(1, "HouseAge", ages).append_column("x", pa.array(["y"] * 800))
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, changed.schema) as stream:
            stream.write_table(changed, max_chunksize=7)

        answer = post(client, sink.getvalue(), ARROW)

        values = np.array(saved.golden_rows)
        values[:, 1] = values[:, 1].astype(kind.to_pandas_dtype())
        got = pa.ipc.open_stream(answer.content).read_all()["prediction"].to_numpy()
        assert np.abs(got.reshape(100, 8) - saved.model.predict(values)).max() < 1e-9


def test_a_null_in_an_arrow_stream_gets_an_error_in_its_place(client):
    table = pa.table({name: pa.array([number, None]) for name, number in ROW.items()})

    answers = pa.ipc.open_stream(post(client, as_arrow(table), ARROW).content).read_all()

    assert answers["prediction"].null_count == 1
    assert answers["error"].to_pylist() == [
        None,
        "MedInc must be a number from 0 to 100 (10,000 USD), got null.",
    ]


def test_an_arrow_stream_in_the_format_before_0_15_gets_the_same_predictions(client):
    """Such a stream has no continuation marker before the lengths of its messages."""
    table = pa.table(columns_of([ROW] * 3))
    stream = as_arrow(table, options=pa.ipc.IpcWriteOptions(use_legacy_format=True))
    assert not stream.startswith(b"\xff")

    expected = post(client, as_arrow(table), ARROW).content
    assert post(client, stream, ARROW).content == expected
    for each in (stream, as_arrow(table)):
        reader = ArrowReader()
        (rows,) = (rows for byte in each for rows in reader.feed(bytes([byte])))
        assert len(rows) == 3


def test_damage_late_in_an_arrow_stream_is_reported_after_the_predictions(client):
    batch = as_arrow(pa.table(columns_of([ROW] * 1000)))

    answer = post(client, batch[:-8] + b"x" * 100, ARROW)

    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.num_rows == 1001
    assert table["error"].to_pylist()[-1] == "The body must be an Arrow IPC stream, got other data."


def test_an_arrow_message_has_a_body_of_at_most_16_mib():
    max_rows = 16 * 1024 * 1024 // (8 * len(FEATURE_NAMES))  # rows of float64
    columns = {name: np.full(max_rows + 1, number) for name, number in ROW.items()}
    allowed = as_arrow(pa.table(columns).slice(0, max_rows))
    too_large = as_arrow(pa.table(columns))

    assert sum(len(rows) for rows in ArrowReader().feed(allowed)) == max_rows
    with pytest.raises(TableError, match=r"at most 16,777,216 bytes, got more\. Write smaller"):
        [*ArrowReader().feed(too_large[:4096])]  # known before the body is buffered


@pytest.mark.parametrize("legacy", [False, True])
def test_bytes_after_the_end_of_an_arrow_stream_are_rejected_in_any_chunking(legacy):
    options = pa.ipc.IpcWriteOptions(use_legacy_format=legacy)
    stream = as_arrow(pa.table(columns_of([ROW])), options=options)

    for size in (1, 7, 4096):
        reader = ArrowReader()
        pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
        assert sum(len(rows) for piece in pieces for rows in reader.feed(piece)) == 1
        assert [*reader.feed(b"")] == [*reader.close()] == []
        with pytest.raises(TableError, match="but more bytes follow it"):
            [*reader.feed(b"\0")]
    with pytest.raises(TableError, match="but more bytes follow it"):
        [*ArrowReader().feed(stream + stream)]


def test_a_second_arrow_stream_after_the_first_is_reported_after_the_predictions(client):
    stream = as_arrow(pa.table(columns_of([ROW] * 3)))

    table = pa.ipc.open_stream(post(client, stream + stream, ARROW).content).read_all()

    assert table["error"].to_pylist() == [
        *[None] * 3,
        "The Arrow stream must end at its end-of-stream mark, but more bytes follow it.",
    ]


def test_one_element_arrays_are_not_accepted_as_numbers(client):
    rows = [{name: [number] for name, number in ROW.items()}] * 2

    answers = client.post("/predict/batch", json=rows).json()

    assert [[*answer] for answer in answers] == [["error"], ["error"]]


@pytest.mark.parametrize("length", [65_000, 66_000, 140_000])
@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_a_padded_line_over_the_maximum_length_is_rejected(client, kind, length):
    """Padded with digits in CSV, and with blanks in JSON."""
    if kind == "csv":
        line = as_csv([ROW]).splitlines()[1]
        padded = line + "0" * (length - len(line))  # more digits of the longitude
        answer = post(client, f"{','.join(FEATURE_NAMES)}\n{padded}\n{line}\n", CSV, "?errors=true")
        first, second = answer.text.splitlines()[1:]
    else:
        line = json.dumps(ROW)
        padded = line[:-1] + " " * (length - len(line)) + "}"
        first, second = post(client, f"{padded}\n{line}\n", NDJSON).text.splitlines()

    assert ("65,536" in first) == (length > 65_536)
    assert "65,536" not in second


def test_a_csv_header_over_the_maximum_length_is_rejected(client):
    header = ",".join([*FEATURE_NAMES, *(f"x{i}" for i in range(20_000))])

    answer = post(client, header + "\n", CSV)

    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "The body, line 1: the header must have at most 65,536 bytes, got more.",
    )


def test_inputs_that_are_expensive_to_validate_are_rejected_fast(client):
    """An earlier version took seconds for each of these."""
    keys = {f"k{i}": 1 for i in range(100_000)}
    slips = [{f"MedIncc{i}_{j}": 1 for j in range(16)} for i in range(200)]

    many, one = client.post("/predict/batch", json=[keys, ROW], timeout=2).json()
    rejected = client.post("/predict/batch", json=slips, timeout=10).json()
    long_type = client.post(
        "/predict/batch",
        content="",
        headers={"content-type": 'text/csv;"' + ";" * 30_000},
        timeout=2,
    )

    assert many["error"].endswith("got more than 64 members.")
    assert one == expected_in_batch(client, ROW)
    assert len(rejected) == 200
    assert long_type.status_code == 415


def test_an_arrow_stream_must_be_one_schema_and_then_record_batches(client):
    """Rejects batches before the schema, a second schema, and a schema with invalid names."""
    table = pa.table(columns_of([ROW]))
    schema, batch = (
        table.schema.serialize().to_pybytes(),
        table.to_batches()[0].serialize().to_pybytes(),
    )
    end = b"\xff\xff\xff\xff\0\0\0\0"

    for stream in (batch + schema + end, schema + schema + batch + end):
        answer = post(client, stream, ARROW)
        assert (answer.status_code, answer.json()["detail"]) == (
            422,
            "The Arrow stream must have one schema, then record batches, got another message. Send columns without dictionary encoding.",
        )
    damaged = post(client, (schema + batch + end).replace(b"MedInc", b"\xffedInc"), ARROW)
    assert damaged.status_code == 422
    assert post(client, schema + batch + end, ARROW).status_code == 200


def test_an_arrow_batch_with_a_buffer_that_is_too_short_is_rejected(client):
    stream = as_arrow(pa.table(columns_of([ROW] * 10)))
    place = stream.index(b"\x50\0\0\0\0\0\0\0", 600)  # the length of a buffer, 80

    answer = post(client, stream[:place] + b"\x08" + stream[place + 1 :], ARROW)

    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "The Arrow stream must be valid, but it is damaged.",
    )


texts = {
    "csv": (lambda: CSVReader("The body"), as_csv),
    "ndjson": (NDJSONReader, as_ndjson),
}


@settings(deadline=None)
@given(kind=st.sampled_from([*texts]), data=st.data())
def test_rows_are_the_same_for_any_chunking_of_the_body(kind, data):
    """Also with invalid rows, for which lines are parsed one by one."""
    make, write = texts[kind]
    pool = [ROW, {**ROW, "MedInc": 1}, {**ROW, "MedInc": 1e3}, {**ROW, "MedInc": "x"}]
    text = write(data.draw(st.lists(st.sampled_from(pool), max_size=12))).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))

    def read(pieces):
        reader = make()
        parts = [*(rows for piece in pieces for rows in reader.feed(piece)), *reader.close()]
        values, rejected = [], {}
        for part in parts:
            rejected |= {len(values) + index: why for index, why in part.errors.items()}
            values += part.values.tolist()
        return [v for i, v in enumerate(values) if i not in rejected], rejected

    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert read(pieces) == read([text])


@pytest.mark.parametrize(
    "lines",
    [
        [json.dumps(ROW) + "],[" + json.dumps(ROW), "3"],
        [json.dumps(ROW) + "," + json.dumps(ROW)],
        [json.dumps(ROW)[:-1] + ', "MedInc": 1}'],
        [json.dumps(ROW)[:-1], "}"],
        [json.dumps(ROW).replace("MedInc", "Med],[Inc")],
        [json.dumps([ROW])],
        [json.dumps({**ROW, "MedInc": [8.3]})],
        [json.dumps({name: [number] for name, number in ROW.items()})],
        [json.dumps({name: [number, number] for name, number in ROW.items()})],
        [json.dumps({name: [] for name in ROW})],
        [json.dumps(ROW).replace("8.3252", "1e999")],
    ],
)
def test_an_ndjson_line_that_is_not_exactly_one_row_is_rejected(client, lines):
    text = "\n".join([json.dumps(ROW), *lines, json.dumps(ROW)])

    first, *others, last = (
        json.loads(line) for line in post(client, text, NDJSON).text.splitlines()
    )

    assert first == last == expected_in_batch(client, ROW)
    assert len(others) == len(lines)
    assert all([*answer] == ["error"] for answer in others)


@settings(deadline=None)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_each_csv_line_with_a_wrong_number_of_cells_is_rejected(widths):
    lines = [
        ",".join(["30"] * 6 + ["35", "-120"] * (width // 2) + ["1"] * (width % 2))
        for width in widths
    ]
    text = "\n".join([",".join(FEATURE_NAMES), *lines]).encode()
    reader = CSVReader("The body")

    parts = [*reader.feed(text), *reader.close()]

    assert [line.count(",") != 7 for line in lines] == [
        index in part.errors for part in parts for index in range(len(part))
    ]


def test_two_short_csv_lines_are_not_joined_into_one_row():
    header = ",".join([*FEATURE_NAMES[:2], "ignored", *FEATURE_NAMES[2:]])
    reader = CSVReader("The body")

    parts = [*reader.feed(f"{header}\n8.3,41,7\n1,1,322,2.5,37.88,-122.2\n".encode())]

    assert [len(part) for part in parts] == [len(part.errors) for part in parts] == [2]


numbers = st.floats(0.5, 30).map(repr) | st.sampled_from(
    ["1", "1.", ".5", "+1", "01", "1e1", " 1", "1 "]
)


@settings(deadline=None)
@given(st.lists(st.tuples(*[numbers] * 6), min_size=1, max_size=5))
def test_the_fast_and_the_slow_csv_parser_return_equal_numbers(lines):
    """A letter in one line makes the slow parser read all of them."""
    header = ",".join(FEATURE_NAMES).encode() + b"\n"
    plain = [",".join([*cells, "35", "-120"]).encode() + b"\n" for cells in lines]

    def read(text):
        reader = CSVReader("The body")
        parts = [*reader.feed(header + text), *reader.close()]
        return np.concatenate([part.values for part in parts])

    slow = read(b"".join(plain) + b"x\n")[:-1]

    assert read(b"".join(plain)).tolist() == slow.tolist()
    assert slow.tolist() == [[*map(float, cells), 35.0, -120.0] for cells in lines]


@pytest.mark.parametrize("values", [[8.3], [8.3, 3.8], [[8.3]]])
def test_arrays_in_place_of_numbers_are_not_parsed_as_rows(client, values):
    row = dict.fromkeys(FEATURE_NAMES, values)

    (in_array,) = post(client, json.dumps([row]), "application/json").json()
    of_line = post(client, json.dumps(row), NDJSON).json()

    sentence = "MedInc must be a number from 0 to 100 (10,000 USD), got an array."
    assert in_array["error"].startswith(sentence)
    assert of_line == in_array


def test_a_number_longer_than_a_line_may_be_is_rejected(client):
    zeros = "0" * 70_000
    line = as_csv([ROW]).replace("8.3252", f"8.3252{zeros}")
    numbers = as_ndjson([ROW]).replace("8.3252", f"8.3252{zeros}")

    answered = post(client, line, CSV, "?errors=true").text.splitlines()
    rejected = post(client, numbers, NDJSON).json()

    assert answered[1] == ',,,"The line must have at most 65,536 bytes, got more."'
    assert rejected == {"error": "The line must have at most 65,536 bytes, got more."}


@pytest.mark.parametrize("digit", ["\u0668", "\uff18"])
def test_digits_of_other_scripts_are_not_numbers(client, digit):
    response = post(client, as_csv([{**ROW, "MedInc": digit}]), CSV, "?errors=true")

    assert response.text.splitlines()[1].endswith('got text."')


@pytest.mark.parametrize(
    ("whole", "damaged"),
    [
        (b"MedInc", b"Med\xffnc"),  # a name that is not UTF-8
        (struct.pack("<qq", 1, 0), struct.pack("<qq", 9, 0)),  # more numbers than there are
        (struct.pack("<qq", 1, 0), struct.pack("<qq", -1, 0)),
        (struct.pack("<qq", 1, 0), struct.pack("<qq", 1, 1)),  # a null count without nulls
    ],
)
def test_an_arrow_stream_with_damaged_metadata_is_rejected(client, whole, damaged):
    body = as_arrow(pa.table(columns_of([ROW])))
    assert whole in body

    response = post(client, body.replace(whole, damaged), ARROW)

    assert response.status_code == 422
    assert response.json()["detail"].startswith("The ")


@pytest.mark.parametrize("media_type", [CSV, NDJSON])
def test_a_line_with_too_many_leading_blanks_is_rejected_not_skipped(client, media_type):
    text = as_csv([ROW]) if media_type == CSV else "\n" + as_ndjson([ROW])
    body = text.rstrip("\n").replace("\n", "\n" + " " * 70_000)

    response = post(client, body, media_type, "?errors=true")

    assert response.text.count("65,536 bytes") == 1
