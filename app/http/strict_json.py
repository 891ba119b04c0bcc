"""Request bodies as strict JSON: what FastAPI's own reading lets pass is refused here.

Python's JSON parser takes UTF-16 and a repeated key (the last wins), and fails on deep nesting with
an exception that is not its own. The media type is checked before the body is looked at.
"""

import codecs
import json
from dataclasses import dataclass
from typing import Any


class Repeated:
    """Stands for the values of a key that came more than once; no schema takes it."""


@dataclass(frozen=True, slots=True)
class NotJSON:
    """Stands for a line of a batch that is not JSON; no schema takes it."""

    reason: str


def parse_strict_json(body: bytes) -> Any:
    """The value of a JSON text in UTF-8, numbers as floats, repeated keys as `Repeated`.

    Raises json.JSONDecodeError, which FastAPI answers with 422.
    """
    if body.startswith(codecs.BOM_UTF8):
        raise json.JSONDecodeError("a byte order mark", "", 0)
    try:
        return json.loads(
            body.decode("utf-8"), parse_int=float, object_pairs_hook=_mark_repeated_keys
        )
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError("not UTF-8", "", error.start) from error
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deeply", "", 0) from error


def _mark_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                value[key] = Repeated()
            seen.add(key)
    return value
