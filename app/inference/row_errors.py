"""Why an input is refused, in one sentence: what was required, and what came."""

import difflib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from app.http.strict_json import NotJSON, Repeated
from models.features import FEATURES


class FieldError(NamedTuple):
    """One error in a request, in words."""

    loc: list[str | int]  # `body` or `query`, then the feature
    msg: str
    type: str


MAX_ERRORS = 16  # all eight features misspelt; keeps the answer under 4 KiB
MIN_SIMILARITY = 0.6  # difflib's ratio between a name that came and a known one
MAX_TYPO_LENGTH = 40  # a longer one is no slip of the finger, and costs time to compare

feature_by_name = {feature.name: feature for feature in FEATURES}
feature_by_folded_name = {feature.name.lower(): feature for feature in FEATURES}

what_came = {
    "missing": "it is missing",
    "finite_number": "NaN, infinity or a far too large one came",
    "greater_than": "one that is too small came",
    "greater_than_equal": "one that is too small came",
    "less_than_equal": "one that is too large came",
}
"""By the type of Pydantic's error, where it says enough."""

json_type_names = {
    str: "a string",
    bool: "true or false",
    type(None): "null",
    list: "an array",
    dict: "an object",
    int: "a number",
    float: "a number",
}
"""JSON's types, by those that a parser makes of them."""


def describe_errors(errors: Sequence[Mapping[str, Any]]) -> tuple[str, list[FieldError]]:
    """Pydantic's errors in one sentence, and each of them (up to a limit) in words."""
    found = _distinct(errors)
    refused = [explain(error) for error in found[:MAX_ERRORS]]
    return refused[0].msg + _and_more(found), refused


def describe_first_error(errors: Sequence[Mapping[str, Any]]) -> tuple[str, FieldError]:
    """Pydantic's errors in one sentence, and the first of them in words."""
    found = _distinct(errors)
    first = explain(found[0])
    return first.msg + _and_more(found), first


def _distinct(errors: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Each error once; an unknown name first, because it often explains a missing one."""
    found = [*{(error["loc"], error["type"]): error for error in errors}.values()]
    return sorted(found, key=lambda error: error["type"] != "extra_forbidden")


def _and_more(found: Sequence[Mapping[str, Any]]) -> str:
    return f" And {len(found) - 1} more." if len(found) > 1 else ""


def explain(error: Mapping[str, Any]) -> FieldError:
    """One of Pydantic's errors in words, without the input that it carries."""
    place, *path = error["loc"]
    if error["type"] == "json_invalid":
        return FieldError(loc=[place], msg=_not_json(error, path), type="json_invalid")
    if error["type"] == "string_unicode":  # a key with half of a surrogate pair
        return FieldError(loc=[place], msg=unknown_feature(""), type="unknown_feature")
    if place == "body" and not path:
        return FieldError(loc=[place], msg=_not_an_object(error), type=error["type"])
    if place == "body" and path[0] in feature_by_name:
        return _refused_feature(path[0], error)
    if place == "body":
        return FieldError(loc=[place], msg=unknown_feature(path[0]), type="unknown_feature")
    return FieldError(
        loc=[place],
        msg=_refused_query(error, path),
        type="unknown_parameter" if error["type"] == "extra_forbidden" else error["type"],
    )


def _refused_query(error: Mapping[str, Any], path: list[Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "The query must have known parameters only (see /docs), however another one came."
    required = {"level": "a number", "errors": "true or false"}.get(path[0], "a name")
    return f"The query's `{path[0]}` must be {required}, however something else came."


def _not_json(error: Mapping[str, Any], path: list[Any]) -> str:
    where = f" (after {path[0]} characters)" if path[0] else ""
    return f"The body must be JSON in UTF-8, however: {error['ctx']['error']}{where}."


def _not_an_object(error: Mapping[str, Any]) -> str:
    if isinstance(error["input"], NotJSON):
        return f"The body must be JSON in UTF-8, however: {error['input'].reason}."
    came = "it is empty" if error["type"] == "missing" else f"{_came(error['input'])} came"
    return f"The body must be a JSON object of the eight features, however {came}."


def _refused_feature(name: str, error: Mapping[str, Any]) -> FieldError:
    feature, kind = feature_by_name[name], error["type"]
    came = what_came.get(kind) or f"{_came(error['input'])} came"
    if isinstance(error["input"], Repeated):
        kind, came = "repeated", "it came more than once"
    required = f"{name} must be a number {feature.bounds}"
    return FieldError(loc=["body", name], msg=f"{required}, however {came}.", type=kind)


def unknown_feature(name: str) -> str:
    """The sentence for a name that is none of the eight, with the one that was likely meant."""
    likely = _likely_name(name)
    hint = f"; did you mean {likely}?" if likely else "."
    return f"The features must be {', '.join(feature_by_name)}, however an unknown one came{hint}"


@lru_cache(maxsize=1024)  # a batch has one slip in each of its rows
def _likely_name(name: str) -> str | None:
    if len(name) > MAX_TYPO_LENGTH:
        return None
    folded = name.lower().replace("_", "")
    close = difflib.get_close_matches(folded, feature_by_folded_name, 1, MIN_SIMILARITY)
    return feature_by_folded_name[close[0]].name if close else None


def _came(value: object) -> str:
    return json_type_names.get(type(value), "something else")
