"""Rows from JSON objects: thousands at once where all is well, each by itself where it is not."""

from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from app.inference.formats.floats import to_floats
from app.inference.rows import Rows, of_json, of_numbers
from models.features import FEATURE_NAMES

OBJECTS_AT_ONCE = 64  # where each is looked at by itself
QUOTES = 2 * len(FEATURE_NAMES)
LITERALS = (b"true", b"false", b"null")
features_of = itemgetter(*FEATURE_NAMES)


def all_numbers(objects: Sequence[Any], text: bytes) -> Rows | None:
    """The rows, where each object certainly has the eight features once, and numbers only.

    The objects were parsed from the text. A repeated name would show as more quotes than there are
    names in the objects, and a string too; neither a name nor a number has `true` or `null` in it.
    """
    if not has_numbers_only(text, QUOTES * len(objects)):
        return None
    try:
        if any(len(item) != len(FEATURE_NAMES) for item in objects):
            return None
        values = to_floats([*chain.from_iterable(map(features_of, objects))])
    except (KeyError, TypeError, ValueError):
        return None
    return of_numbers(values.reshape(len(objects), len(FEATURE_NAMES)))


def has_numbers_only(text: bytes, quotes: int) -> bool:
    """Whether no JSON value is anything but numbers, or made of them: of so many quotes are names.

    It is looked for in what is left without all that numbers and their arrays are written with.
    """
    rest = text.translate(None, b"0123456789+-.,: []{}\n\r\t")
    return rest.count(b'"') == quotes and not any(literal in rest for literal in LITERALS)


def one_by_one(objects: Sequence[Any]) -> Iterator[Rows]:
    """The rows, a few at a time: a refused one takes a while to explain."""
    for start in range(0, len(objects), OBJECTS_AT_ONCE):
        yield of_json(objects[start : start + OBJECTS_AT_ONCE])
