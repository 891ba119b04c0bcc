"""Why an input is refused, in one sentence: what was required, and what came."""

import difflib
from collections.abc import Mapping
from typing import Any

from app.schemas import RefusedField
from app.strict_json import Repeated
from models.features import FEATURES

CLOSE_ENOUGH = 0.6  # difflib's ratio between a name that came and a known one
LONGEST_LIKELY_NAME = 40  # a longer one is no slip of the finger, and costs time to compare

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

type_in_words = {
    str: "a string",
    bool: "true or false",
    type(None): "null",
    list: "an array",
    dict: "an object",
    float: "a number",
}
"""JSON's types, by those that Python's parser makes of them."""


def explain(error: Mapping[str, Any]) -> RefusedField:
    """One of Pydantic's errors in words, without the input that it carries."""
    place, *path = error["loc"]
    if error["type"] == "json_invalid":
        return RefusedField(loc=[place], msg=_not_json(error, path), type="json_invalid")
    if error["type"] == "string_unicode":  # a key with half of a surrogate pair
        return RefusedField(loc=[place], msg=_unknown_feature(""), type="unknown_feature")
    if place == "body" and not path:
        return RefusedField(loc=[place], msg=_not_an_object(error), type=error["type"])
    if place == "body" and path[0] in feature_by_name:
        return _refused_feature(path[0], error)
    if place == "body":
        return RefusedField(loc=[place], msg=_unknown_feature(path[0]), type="unknown_feature")
    return RefusedField(
        loc=[place],
        msg=_refused_query(path),
        type="unknown_parameter" if error["type"] == "extra_forbidden" else error["type"],
    )


def _refused_query(path: list[Any]) -> str:
    if path == ["level"]:
        return "The query's `level` must be a number, however something else came."
    return "The query must have known parameters only (see /docs), however another one came."


def _not_json(error: Mapping[str, Any], path: list[Any]) -> str:
    where = f" (after {path[0]} characters)" if path[0] else ""
    return f"The body must be JSON in UTF-8, however: {error['ctx']['error']}{where}."


def _not_an_object(error: Mapping[str, Any]) -> str:
    came = "it is empty" if error["type"] == "missing" else f"{_came(error['input'])} came"
    return f"The body must be a JSON object of the eight features, however {came}."


def _refused_feature(name: str, error: Mapping[str, Any]) -> RefusedField:
    feature, kind = feature_by_name[name], error["type"]
    came = what_came.get(kind) or f"{_came(error['input'])} came"
    if isinstance(error["input"], Repeated):
        kind, came = "repeated", "it came more than once"
    required = f"{name} must be a number {feature.bounds}"
    return RefusedField(loc=["body", name], msg=f"{required}, however {came}.", type=kind)


def _unknown_feature(name: str) -> str:
    likely = _likely_name(name)
    hint = f"; did you mean {likely}?" if likely else "."
    return f"The features must be {', '.join(feature_by_name)}, however an unknown one came{hint}"


def _likely_name(name: str) -> str | None:
    if len(name) > LONGEST_LIKELY_NAME:
        return None
    folded = name.lower().replace("_", "")
    close = difflib.get_close_matches(folded, feature_by_folded_name, 1, CLOSE_ENOUGH)
    return feature_by_folded_name[close[0]].name if close else None


def _came(value: object) -> str:
    return type_in_words.get(type(value), "something else")
