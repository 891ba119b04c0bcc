"""Why a row is rejected: sentences that say what is required and what was received.

No sentence repeats a value or a name that a client sent.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Self

from app.http.strict_json import Repeated
from models.features import FEATURES

MAX_ERRORS = 16  # enough for eight misspelt features; keeps the response under 4 KiB
MIN_SIMILARITY = 0.6  # difflib's ratio between an unknown name and a feature's
MAX_TYPO_LENGTH = 40  # characters; a longer name is not a typo, and slow to compare

feature_by_name = {feature.name: feature for feature in FEATURES}
name_by_lowercase = {feature.name.lower(): feature.name for feature in FEATURES}

received_by_type = {
    "missing": "but it is missing",
    "finite_number": "got NaN, infinity or a number that is far too large",
    "greater_than": "got a number that is too small",
    "greater_than_equal": "got a number that is too small",
    "less_than_equal": "got a number that is too large",
}
"""What was received, by Pydantic's error types; the other types depend on the input."""

json_type_names = {
    str: "a string",
    bool: "true or false",
    type(None): "null",
    list: "an array",
    dict: "an object",
    int: "a number",
    float: "a number",
}
"""The types of JSON, by the Python types that a parser returns."""


class FieldError(NamedTuple):
    """One error in a row."""

    loc: list[str | int]  # `body` and the feature, if one is at fault; or `query`
    msg: str  # one sentence
    type: str  # for programs: Pydantic's type, `repeated` or `unknown_...`


class RowError(str):
    """Why a row of a batch is rejected: one sentence, with a type for programs."""

    __slots__ = ("type",)
    type: str  # as in FieldError, or `malformed`

    def __new__(cls, sentence: str, type: str) -> Self:  # noqa: A002  # named as in FieldError
        error = super().__new__(cls, sentence)
        error.type = type
        return error


def describe_errors(errors: Sequence[Mapping[str, Any]]) -> tuple[str, list[FieldError]]:
    """Return Pydantic's errors of a row as one sentence, and up to MAX_ERRORS of them in words."""
    errors = _sort(errors)
    described = [_describe(error, "The body") for error in errors[:MAX_ERRORS]]
    return _summarize(described[0], len(errors)), described


def to_row_error(errors: Sequence[Mapping[str, Any]]) -> RowError:
    """Return Pydantic's errors of a row of a batch as one sentence."""
    errors = _sort(errors)
    first = _describe(errors[0], "The row")  # only the first: a batch may have many invalid rows
    return RowError(_summarize(first, len(errors)), first.type)


def invalid_number(feature: str, received: str) -> RowError:
    """Return the error of a feature that is not a number; `received` names its type."""
    return RowError(_number_sentence(feature, f"got {received}"), "float_type")


def invalid_json(subject: str, error: json.JSONDecodeError) -> str:
    """Return the sentence for a body, row or line that is not strict JSON."""
    where = f" (character {error.pos + 1})" if error.pos else ""
    return f"{subject} must be JSON in UTF-8, but parsing failed: {error.msg}{where}."


def not_an_object(subject: str, received: str) -> str:
    """Return the sentence for a body or row that is JSON of another type."""
    return f"{subject} must be a JSON object of the eight features, {received}."


def unknown_feature(name: str) -> str:
    """Return the sentence for a name that is not a feature's, with the one likely meant."""
    likely = _likely_name(name)
    remedy = f" Did you mean {likely}?" if likely else ""
    return f"The features must be {', '.join(feature_by_name)}; got an unknown one.{remedy}"


def json_type_name(value: object) -> str:
    """Return the JSON type of a parsed value in words."""
    return json_type_names.get(type(value), "another value")


def _sort(errors: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return each error once; an unknown name first, because it often explains a missing one."""
    distinct = {(error["loc"], error["type"]): error for error in errors}.values()
    return sorted(distinct, key=lambda error: error["type"] != "extra_forbidden")


def _summarize(first: FieldError, count: int) -> str:
    return f"{first.msg} And {count - 1} more." if count > 1 else first.msg


def _describe(error: Mapping[str, Any], subject: str) -> FieldError:
    """Return one of Pydantic's errors in words, without the input that it carries."""
    path, kind, value = error["loc"], error["type"], error["input"]
    if kind == "string_unicode":  # a key with half of a surrogate pair
        return FieldError(["body"], unknown_feature(""), "unknown_feature")
    if not path:
        received = "but it is empty" if kind == "missing" else f"got {json_type_name(value)}"
        return FieldError(["body"], not_an_object(subject, received), kind)
    name = path[0]
    if name not in feature_by_name:
        return FieldError(["body"], unknown_feature(name), "unknown_feature")
    received = received_by_type.get(kind) or f"got {json_type_name(value)}"
    if isinstance(value, Repeated):
        kind, received = "repeated", "but it appears more than once"
    return FieldError(["body", name], _number_sentence(name, received), kind)


def _number_sentence(name: str, received: str) -> str:
    return f"{name} must be a number {feature_by_name[name].bounds}, {received}."


@lru_cache(maxsize=1024)  # a batch often has the same typo in every row
def _likely_name(name: str) -> str | None:
    if len(name) > MAX_TYPO_LENGTH:
        return None
    lowercase = name.lower().replace("_", "")
    matches = difflib.get_close_matches(lowercase, name_by_lowercase, 1, MIN_SIMILARITY)
    return name_by_lowercase[matches[0]] if matches else None
