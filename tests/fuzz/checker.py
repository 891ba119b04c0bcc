"""The rules that every response must follow."""

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
from tests.fuzz.client import Response
from tests.fuzz.reference import MalformedError, Row

MAX_BYTES = {"predict": 65_536, "explain": 65_536, "array": 2**22, "columns": 2**22, "v2": 2**23}
MAX_ERROR_BYTES = 4_096
PROTOCOL_ERRORS = (400, 408, 431)  # before the server has parsed a request
# Tolerances, relative and in 100,000 USD: for a single row and for the rows of a batch.
SINGLE_TOLERANCE, BATCH_TOLERANCE = 1e-12, 1e-9
DIFFERENT_DECISION = "the service and the reference disagree on whether a row is valid"

PARSERS = {
    "predict": lambda body: [reference.row_of_object(reference.strict_json(body))],
    "explain": lambda body: [reference.row_of_object(reference.strict_json(body))],
    "array": reference.rows_of_json,
    "columns": reference.rows_of_json,
    "csv": reference.rows_of_csv,
    "ndjson": reference.rows_of_ndjson,
}


class ViolationError(Exception):
    """A response that breaks a rule."""


class Checker:
    """Checks responses against the OpenAPI document, the reference parser and the models."""

    def __init__(self, document: dict[str, Any], models: Sequence[str] = ("notebook", "champion")):
        self._models = {name: load_model(SAVED_MODELS / name).model for name in models}
        self._statuses = {
            path: {int(status) for status in item["post"]["responses"]}
            for path, item in document["paths"].items()
            if "post" in item
        }

    def check(self, case: Case, response: Response) -> None:
        """Raise ViolationError if the response breaks a rule."""
        _require(response.status < 500, f"status {response.status}")
        if case.framing == "broken" and _is_protocol_error(response):
            return
        documented = self._statuses[_path_template(case)] | {404}
        _require(response.status in documented, f"status {response.status} is not documented")
        _require_no_echo(case, response)
        if response.status != 200:
            _require_error_format(case, response)
        if case.framing == "broken":
            return
        if case.error_statuses:
            _require(response.status in case.error_statuses, f"status {response.status}")
        elif case.kind in PARSERS:
            self._check_rows(case, response)
        elif response.status == 200 and case.kind != "reload":
            {"arrow": self._check_arrow, "v2": self._check_v2}[case.kind](case, response)

    def _check_rows(self, case: Case, response: Response) -> None:
        """Require the service to accept the same rows as the reference, and to predict as the model."""
        if len(case.body) > MAX_BYTES.get(case.kind, math.inf):
            _require(
                response.status == 413, f"status {response.status} for a body that is too large"
            )
            return
        try:
            rows = PARSERS[case.kind](case.body)
        except MalformedError:
            _require(response.status == 422, f"status {response.status} for a malformed body")
            return
        if case.kind in ("predict", "explain"):
            self._check_row(case, response, rows[0])
            return
        _require(response.status == 200, f"status {response.status} for a valid batch")
        parse = {"csv": _csv_results, "ndjson": _ndjson_results}.get(case.kind, _json_results)
        results = parse(response)
        _require(len(results) == len(rows), f"{len(results)} results for {len(rows)} rows")
        for row, (numbers, error) in zip(rows, results, strict=True):
            _require((numbers is None) == (row.numbers is None), DIFFERENT_DECISION)
            if numbers is None:
                named = error is None or any(name in error for name in row.invalid_features)
                _require(named or not row.invalid_features, "a row error does not name a feature")
            else:
                self._require_equal(case, row.numbers, numbers, BATCH_TOLERANCE)

    def _check_row(self, case: Case, response: Response, row: Row) -> None:
        if row.numbers is None:
            _require(response.status == 422, f"status {response.status} for an invalid row")
            named = {error["loc"][-1] for error in json.loads(response.body).get("errors", [])}
            _require(row.invalid_features <= named, "the errors do not name all invalid features")
            return
        _require(response.status == 200, f"status {response.status} for a valid row")
        content = json.loads(response.body)
        if case.kind == "predict":
            self._require_equal(case, row.numbers, _numbers(content), SINGLE_TOLERANCE)
            return
        total = content["baseline"] + math.fsum(content["contributions"].values())
        expected = self._model(case).predict(np.array([row.numbers])).item()
        _require(
            math.isclose(content["prediction"], total, rel_tol=1e-9, abs_tol=1e-9),
            "the contributions do not add up",
        )
        _require(
            math.isclose(expected, total, rel_tol=1e-9, abs_tol=1e-9),
            "the explained prediction differs from the model's",
        )

    def _check_arrow(self, case: Case, response: Response) -> None:
        results = pa.ipc.open_stream(response.body).read_all()
        try:
            table = pa.ipc.open_stream(case.body).read_all()
            table.validate(full=True)
            columns = [
                table[name].cast(pa.float64(), safe=False).to_pylist() for name in FEATURE_NAMES
            ]
        except (pa.ArrowException, OSError, KeyError, ValueError):
            columns = [[]] * 8  # the service may have read some rows of a damaged stream
        rows = [reference.row_of_cells(list(cells)) for cells in zip(*columns, strict=True)]
        columns = [results[name].to_pylist() for name in ("prediction", "lower", "upper")]
        errors = results["error"].to_pylist()
        for row, numbers, error in zip(rows, zip(*columns, strict=True), errors, strict=False):
            _require((error is None) == (row.numbers is not None), DIFFERENT_DECISION)
            if row.numbers is not None:
                self._require_equal(case, row.numbers, list(numbers), BATCH_TOLERANCE)

    def _check_v2(self, case: Case, response: Response) -> None:
        """Compare the predictions with the model's for the numbers in the request."""
        rows = _v2_rows(case)
        _require(all(row.numbers for row in rows), "the service accepted an invalid row")
        predictions = _v2_predictions(response)
        _require(
            len(predictions) == len(rows), f"{len(predictions)} predictions for {len(rows)} rows"
        )
        if rows:
            expected = self._model(case).predict(np.array([row.numbers for row in rows]))
            _require(
                np.allclose(predictions, expected, rtol=BATCH_TOLERANCE, atol=0),
                "the predictions differ from the model's",
            )

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
        _require(all(close), f"{numbers} differs from the model's estimate")

    def _model(self, case: Case) -> HousePriceModel:
        return self._models["champion" if "model=champion" in case.path else "notebook"]


def _require(condition: bool, message: str) -> None:  # noqa: FBT001
    if not condition:
        raise ViolationError(message)


def _path_template(case: Case) -> str:
    return {
        "v2": "/v2/models/{name}/infer",
        "reload": "/models/{name}/reload",
        "predict": "/predict",
        "explain": "/explain",
    }.get(case.kind, "/predict/batch")


def _is_protocol_error(response: Response) -> bool:
    return response.status in PROTOCOL_ERRORS and response.media_type in (
        "text/plain",
        "application/problem+json",
    )


def _require_no_echo(case: Case, response: Response) -> None:
    body = response.body
    if case.kind == "v2" and response.status == 200 and case.marker.encode() in body:
        body = b""  # the protocol returns the id
    echoed = case.marker.encode() in response.head + body
    _require(not echoed, "the response repeats the input")


def _require_error_format(case: Case, response: Response) -> None:
    """Check the size, media type and fields of an error."""
    _require(len(response.body) <= MAX_ERROR_BYTES, "the error is larger than 4 KiB")
    expected = "application/json" if case.kind == "v2" else "application/problem+json"
    _require(response.headers.get("content-type") == expected, "the error has the wrong media type")
    content = json.loads(response.body)
    if case.kind == "v2":
        _require(
            content.keys() == {"error"} and content["error"].endswith("."),
            "the error has the wrong fields",
        )
        return
    _require(
        {"type", "title", "status", "detail"} <= content.keys(), "the problem has the wrong fields"
    )
    _require(
        content["status"] == response.status,
        "the status in the problem is not that of the response",
    )
    _require(content["detail"].endswith((".", "?")), "the detail of the problem is not a sentence")


def _numbers(prediction: dict[str, Any]) -> list[float]:
    interval = prediction["interval"]
    return [prediction["prediction"], interval["lower"], interval["upper"]]


def _json_results(response: Response) -> list[Any]:
    content = json.loads(response.body)
    if isinstance(content, list):
        return [_result_of_object(item) for item in content]
    errors = {error["row"]: error["error"] for error in content.get("errors", [])}
    columns = zip(content["prediction"], content["lower"], content["upper"], strict=True)
    return [
        (None if numbers[0] is None else list(numbers), errors.get(index))
        for index, numbers in enumerate(columns)
    ]


def _result_of_object(item: dict[str, Any]) -> tuple[list[float] | None, str | None]:
    return (None, item["error"]) if "error" in item else (_numbers(item), None)


def _ndjson_results(response: Response) -> list[Any]:
    return [_result_of_object(json.loads(line)) for line in response.body.splitlines()]


def _csv_results(response: Response) -> list[Any]:
    _, *lines = csv.reader(io.StringIO(response.body.decode()))
    return [
        ([float(cell) for cell in line[:3]] if line[0] else None, line[3] if line[3:] else None)
        for line in lines
    ]


def _v2_rows(case: Case) -> list[Row]:
    """Read the rows of an accepted request in the simplest way."""
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


def _v2_predictions(response: Response) -> list[float]:
    length = response.headers.get("inference-header-content-length")
    if length is None:
        return json.loads(response.body)["outputs"][0]["data"]
    return np.frombuffer(response.body[int(length) :], "<f8").tolist()
