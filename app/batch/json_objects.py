"""Rows from JSON objects: thousands at once where all is well, each by itself where it is not."""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from app.rows import Rows, of_json, of_numbers
from models.features import FEATURE_NAMES

OBJECTS_AT_ONCE = 64  # where each is looked at by itself
QUOTES = 2 * len(FEATURE_NAMES)
features_of = itemgetter(*FEATURE_NAMES)


def all_numbers(objects: Sequence[Any], text: bytes) -> Rows | None:
    """The rows, where each object certainly has the eight features once, and numbers only.

    The objects were parsed from the text. A repeated name would show as more quotes than there are
    names in the objects, and a string too; neither a name nor a number has `true` or `null` in it.
    """
    if text.count(b'"') != QUOTES * len(objects) or has_literals(text):
        return None
    try:
        if any(len(item) != len(FEATURE_NAMES) for item in objects):
            return None
        values = np.array([features_of(item) for item in objects], dtype=np.float64)
    except (KeyError, OverflowError, TypeError, ValueError):
        return None
    if objects and values.shape != (len(objects), len(FEATURE_NAMES)):  # arrays, not numbers
        return None
    return of_numbers(values.reshape(len(objects), len(FEATURE_NAMES)))


def has_literals(text: bytes) -> bool:
    """Whether there may be a JSON value that is neither a number, a string, nor made of them."""
    return any(literal in text for literal in (b"true", b"false", b"null"))


def one_by_one(objects: Sequence[Any]) -> Iterator[Rows]:
    """The rows, a few at a time: a refused one takes a while to explain."""
    for start in range(0, len(objects), OBJECTS_AT_ONCE):
        yield of_json(objects[start : start + OBJECTS_AT_ONCE])
