"""Score a file of rows without a server: the same features and bounds as over HTTP."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from app.answer import answer
from app.loaded_models import NamedModel
from app.refusals import explain
from app.schemas import HouseFeatures, to_row
from app.strict_json import parse_strict_json
from models.csv_table import Table, TableError, parse_csv_table
from models.features import FEATURE_NAMES, FEATURES


class ScoringError(Exception):
    """A file cannot be scored; names the file, the line and the column."""


def score_file(path: Path, model: NamedModel) -> str:
    """The answers to a CSV or NDJSON file, row for row, in the file's own format.

    Raises ScoringError at the first row that the service would refuse.
    """
    score = score_by_suffix.get(path.suffix.lower())
    if score is None:
        raise ScoringError(
            f"{path} must be named {', '.join(f'*{suffix}' for suffix in score_by_suffix)}, "
            "however it is not"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ScoringError(f"{path} must be a readable file, however: {error.strerror}") from error
    return score(str(path), content, model)


def _score_csv(name: str, content: bytes, model: NamedModel) -> str:
    try:
        table = parse_csv_table(name, content, FEATURE_NAMES)
    except TableError as error:
        raise ScoringError(str(error)) from error
    _require_bounds(name, table)
    answers = io.StringIO(newline="")
    writer = csv.writer(answers, lineterminator="\n")
    writer.writerow(["prediction", "lower", "upper"])
    writer.writerows(np.transpose(model.saved.model.estimate(table.values)).tolist())
    return answers.getvalue()


def _require_bounds(name: str, table: Table) -> None:
    for feature, values in zip(FEATURES, table.values.T, strict=True):
        for line, number in zip(table.lines, values.tolist(), strict=True):
            if not feature.allows(number):
                raise ScoringError(
                    f"{name}, line {line}, column {feature.name}: must be a number "
                    f"{feature.bounds}, however: {number:g}"
                )


def _score_ndjson(name: str, content: bytes, model: NamedModel) -> str:
    return "".join(
        _score_line(f"{name}, line {number}", line, model) + "\n"
        for number, line in enumerate(content.splitlines(), start=1)
        if line.strip()
    )


def _score_line(where: str, line: bytes, model: NamedModel) -> str:
    try:
        house = HouseFeatures.model_validate(parse_strict_json(line))
    except json.JSONDecodeError as error:
        raise ScoringError(f"{where}: must be JSON in UTF-8, however: {error.msg}") from error
    except ValidationError as error:
        first: Mapping[str, Any] = error.errors()[0]
        reason = explain({**first, "loc": ("body", *first["loc"])})
        raise ScoringError(f"{where}: {reason.msg.replace('The body', 'The line')}") from error
    return answer(to_row(house), model).model_dump_json()


score_by_suffix = {".csv": _score_csv, ".ndjson": _score_ndjson, ".jsonl": _score_ndjson}
