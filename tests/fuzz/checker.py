"""What must be true of every answer."""

import csv
import io
import json
import math
import zlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pyarrow as pa

from models import SAVED_MODELS
from models.features import FEATURE_NAMES
from models.house_price import HousePriceModel
from models.saved_model.storage import load_model
from tests.fuzz import reference
from tests.fuzz.case import Case
from tests.fuzz.client import Answer
from tests.fuzz.reference import MalformedError, Row

MAX_BYTES = {"predict": 65_536, "explain": 65_536, "array": 2**22, "columns": 2**22, "v2": 2**23}
MOST_REFUSAL_BYTES = 4_096
NOT_HTTP = b"Invalid HTTP request received."
OF_THE_WIRE = (400, 408, 431)  # what the server refuses before it looks for an address
# Of one row, and of each of many: of a number, or of 100,000 USD where it is less, as a bound near
# zero is.
WHOLE, EACH = 1e-12, 1e-9

READ = {
    "predict": lambda body: [reference.row_of_object(reference.strict_json(body))],
    "explain": lambda body: [reference.row_of_object(reference.strict_json(body))],
    "array": reference.rows_of_json,
    "columns": reference.rows_of_json,
    "csv": reference.rows_of_csv,
    "ndjson": reference.rows_of_ndjson,
}


class ViolationError(Exception):
    """An answer that breaks a promise."""


class Checker:
    """Knows what the operations are documented to answer, and what the models do."""

    def __init__(self, document: dict[str, Any], models: Sequence[str] = ("notebook", "champion")):
        self._models = {name: load_model(SAVED_MODELS / name).model for name in models}
        self._statuses = {
            path: {int(status) for status in item["post"]["responses"]}
            for path, item in document["paths"].items()
            if "post" in item
        }

    def check(self, case: Case, answer: Answer) -> None:
        """Raise ViolationError unless all is as promised."""
        _require(answer.status < 500, f"status {answer.status}")
        if case.framing == "broken" and _is_not_http(answer):
            return
        documented = self._statuses[_template(case)] | {404}
        _require(answer.status in documented, f"status {answer.status} is not documented")
        _require_no_echo(case, answer)
        if answer.status != 200:
            _require_refusal(case, answer)
        if case.framing == "broken":
            return
        if case.refused_with:
            _require(answer.status in case.refused_with, f"status {answer.status}")
        elif case.kind in READ:
            self._check_decision(case, answer)
        elif answer.status == 200 and case.kind != "reload":
            {"arrow": self._check_arrow, "v2": self._check_v2}[case.kind](case, answer)

    def _check_decision(self, case: Case, answer: Answer) -> None:
        """Accepted is exactly what the reference accepts, and answered as the model does."""
        if len(case.body) > MAX_BYTES.get(case.kind, math.inf):
            _require(answer.status == 413, f"status {answer.status} for too many bytes")
            return
        try:
            rows = READ[case.kind](case.body)
        except MalformedError:
            _require(answer.status == 422, f"status {answer.status} for a malformed body")
            return
        if case.kind in ("predict", "explain"):
            self._check_one(case, answer, rows[0])
            return
        _require(answer.status == 200, f"status {answer.status} for a readable batch")
        answers = {"csv": _csv_answers, "ndjson": _ndjson_answers}.get(case.kind, _json_answers)(
            answer
        )
        _require(len(answers) == len(rows), f"{len(answers)} answers to {len(rows)} rows")
        for row, (numbers, sentence) in zip(rows, answers, strict=True):
            _require((numbers is None) == (row.numbers is None), "a row is decided otherwise")
            if numbers is None:
                named = sentence is None or any(name in sentence for name in row.blamed)
                _require(named or not row.blamed, "a refused row does not name its feature")
            else:
                self._require_equal(case, row.numbers, numbers, EACH)

    def _check_one(self, case: Case, answer: Answer, row: Row) -> None:
        if row.numbers is None:
            _require(answer.status == 422, f"status {answer.status} for a refused row")
            blamed = {error["loc"][-1] for error in json.loads(answer.body).get("errors", [])}
            _require(row.blamed <= blamed, "a refused row does not name its features")
            return
        _require(answer.status == 200, f"status {answer.status} for a row within the bounds")
        content = json.loads(answer.body)
        if case.kind == "predict":
            self._require_equal(case, row.numbers, _numbers(content), WHOLE)
            return
        total = content["baseline"] + math.fsum(content["contributions"].values())
        expected = self._model(case).predict(np.array([row.numbers])).item()
        _require(math.isclose(content["prediction"], total, rel_tol=1e-9, abs_tol=1e-9), "sum")
        _require(math.isclose(expected, total, rel_tol=1e-9, abs_tol=1e-9), "explained otherwise")

    def _check_arrow(self, case: Case, answer: Answer) -> None:
        answers = pa.ipc.open_stream(answer.body).read_all()
        try:
            table = pa.ipc.open_stream(case.body).read_all()
            table.validate(full=True)
            columns = [
                table[name].cast(pa.float64(), safe=False).to_pylist() for name in FEATURE_NAMES
            ]
        except (pa.ArrowException, OSError, KeyError, ValueError):
            columns = [[]] * 8  # of a damaged stream, some rows may have been read
        rows = [reference.row_of_cells(list(cells)) for cells in zip(*columns, strict=True)]
        numbers = [answers[name].to_pylist() for name in ("prediction", "lower", "upper")]
        told = answers["error"].to_pylist()
        for row, answered, error in zip(rows, zip(*numbers, strict=True), told, strict=False):
            _require((error is None) == (row.numbers is not None), "a row is decided otherwise")
            if row.numbers is not None:
                self._require_equal(case, row.numbers, list(answered), EACH)

    def _check_v2(self, case: Case, answer: Answer) -> None:
        """Every prediction is the model's for the request's own numbers."""
        rows = _v2_rows(case)
        _require(all(row.numbers for row in rows), "a row is answered that must be refused")
        predictions = _v2_predictions(answer)
        _require(len(predictions) == len(rows), "another number of predictions than of rows")
        if rows:
            expected = self._model(case).predict(np.array([row.numbers for row in rows]))
            _require(np.allclose(predictions, expected, rtol=EACH, atol=0), "another prediction")

    def _require_equal(
        self, case: Case, row: Sequence[float], numbers: Sequence[float], tolerance: float
    ) -> None:
        query = parse_qs(case.path.partition("?")[2])
        level = float(query.get("level", ["0.9"])[0])
        estimate = self._model(case).estimate(np.array([row]), level)
        close = (
            math.isclose(number, expected.item(), rel_tol=tolerance, abs_tol=tolerance)
            for number, expected in zip(numbers, estimate, strict=True)
        )
        _require(all(close), f"{numbers} is not the model's answer")

    def _model(self, case: Case) -> HousePriceModel:
        return self._models["champion" if "model=champion" in case.path else "notebook"]


def _require(holds: bool, sentence: str) -> None:  # noqa: FBT001
    if not holds:
        raise ViolationError(sentence)


def _template(case: Case) -> str:
    return {
        "v2": "/v2/models/{name}/infer",
        "reload": "/models/{name}/reload",
        "predict": "/predict",
        "explain": "/explain",
    }.get(case.kind, "/predict/batch")


def _is_not_http(answer: Answer) -> bool:
    return answer.status in OF_THE_WIRE and answer.media_type in (
        "text/plain",
        "application/problem+json",
    )


def _require_no_echo(case: Case, answer: Answer) -> None:
    body = answer.body
    if case.kind == "v2" and answer.status == 200 and case.marker.encode() in body:
        body = b""  # the id comes back: the protocol has it so
    echoed = case.marker.encode() in answer.head + body
    _require(not echoed, "the input is echoed")


def _require_refusal(case: Case, answer: Answer) -> None:
    """Short, of the right type and shape."""
    _require(len(answer.body) <= MOST_REFUSAL_BYTES, "a refusal of more than 4 KiB")
    expected = "application/json" if case.kind == "v2" else "application/problem+json"
    _require(answer.headers.get("content-type") == expected, "the media type of a refusal")
    content = json.loads(answer.body)
    if case.kind == "v2":
        _require(content.keys() == {"error"} and content["error"].endswith("."), "its shape")
        return
    _require({"type", "title", "status", "detail"} <= content.keys(), "its shape")
    _require(content["status"] == answer.status, "its status")
    _require(content["detail"].endswith((".", "?")), "its sentence")


def _numbers(answer: dict[str, Any]) -> list[float]:
    return [answer["prediction"], answer["interval"]["lower"], answer["interval"]["upper"]]


def _json_answers(answer: Answer) -> list[Any]:
    content = json.loads(answer.body)
    if isinstance(content, list):
        return [_of_object(item) for item in content]
    errors = {error["row"]: error["error"] for error in content.get("errors", [])}
    each = zip(content["prediction"], content["lower"], content["upper"], strict=True)
    return [
        (None if numbers[0] is None else list(numbers), errors.get(index))
        for index, numbers in enumerate(each)
    ]


def _of_object(item: dict[str, Any]) -> tuple[list[float] | None, str | None]:
    return (None, item["error"]) if "error" in item else (_numbers(item), None)


def _ndjson_answers(answer: Answer) -> list[Any]:
    return [_of_object(json.loads(line)) for line in answer.body.splitlines()]


def _csv_answers(answer: Answer) -> list[Any]:
    _, *lines = csv.reader(io.StringIO(answer.body.decode()))
    return [
        ([float(cell) for cell in line[:3]] if line[0] else None, line[3] if line[3:] else None)
        for line in lines
    ]


def _v2_rows(case: Case) -> list[Row]:
    """The rows of a request that was answered, by the plainest reading there is."""
    headers = {name.lower(): value for name, value in case.headers}
    body = case.body
    if "content-encoding" in headers:
        body = zlib.decompress(body, 47)
    length = int(headers.get("inference-header-content-length", len(body)))
    buffer = body[length:]
    if not length:
        return _rows_of_numbers(np.frombuffer(buffer, "<f8"))
    inputs = json.loads(body[:length])["inputs"]
    columns = []
    for tensor in inputs:
        if tensor.get("data") is None:
            dtype = np.dtype(V2_DTYPES[tensor["datatype"]])
            size = tensor["parameters"]["binary_data_size"]
            columns.append(np.frombuffer(buffer[:size], dtype).astype(np.float64))
            buffer = buffer[size:]
        else:
            flat = np.array(tensor["data"], dtype=np.float64).ravel()
            columns.append(
                flat.astype(np.float32).astype(np.float64) if tensor["datatype"] == "FP32" else flat
            )
    if len(inputs) == 1:
        return _rows_of_numbers(columns[0])
    by_name = {tensor["name"]: column for tensor, column in zip(inputs, columns, strict=True)}
    return _rows_of_numbers(np.column_stack([by_name[name] for name in FEATURE_NAMES]))


V2_DTYPES = {"FP32": "<f4", "FP64": "<f8", "UINT8": "<u1", "INT64": "<i8"}


def _rows_of_numbers(numbers: np.ndarray) -> list[Row]:
    return [reference.row_of_cells(row) for row in numbers.reshape(-1, 8).tolist()]


def _v2_predictions(answer: Answer) -> list[float]:
    length = answer.headers.get("inference-header-content-length")
    if length is None:
        return json.loads(answer.body)["outputs"][0]["data"]
    return np.frombuffer(answer.body[int(length) :], "<f8").tolist()
