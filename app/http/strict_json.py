"""A JSON parser that is stricter than Python's, and the same on every Python version.

Python's JSON parser accepts UTF-16 and repeated keys (the last one wins), and its recursion limit
and messages differ between Python versions.
"""

import codecs
import json
from typing import Any

import numpy as np

MAX_DEPTH = 32  # of nested arrays and objects: a row has 1, a batch 2, a V2 request up to 11
_DEPTH_CHANGES = bytes.maketrans(b'[{]}"', b"\x01\x01\xff\xff\x00")
"""As int8: 1 for an opening bracket, -1 for a closing one, 0 for a quote."""
_OTHER_BYTES = bytes(set(range(256)) - set(b'[{]}"'))
_WHITESPACE = " \t\n\r"


class Repeated:
    """The value of a repeated key; no schema accepts it."""


def parse_strict_json(body: bytes) -> Any:
    """Return the value of a JSON text in UTF-8, numbers as floats, repeated keys as `Repeated`.

    Raises json.JSONDecodeError.
    """
    if body.startswith(codecs.BOM_UTF8):
        raise json.JSONDecodeError("it starts with a byte order mark", "", 0)
    require_max_depth(body)
    try:
        return json.loads(
            body.decode("utf-8"), parse_int=float, object_pairs_hook=_mark_repeated_keys
        )
    except UnicodeDecodeError as error:
        characters = len(body[: error.start].decode("utf-8"))
        raise json.JSONDecodeError("not UTF-8", "", characters) from error
    except json.JSONDecodeError as error:
        raise _name_trailing_comma(error) from error


def require_max_depth(text: bytes) -> None:
    """Raise json.JSONDecodeError if arrays and objects are nested deeper than MAX_DEPTH.

    Each JSON parser has another limit, which depends on its version.
    """
    if text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return
    if b"\\" in text:  # looking for one byte is much faster than for two
        text = text.replace(rb"\\", b"").replace(rb"\"", b"")
    changes = np.frombuffer(text.translate(_DEPTH_CHANGES, _OTHER_BYTES), np.int8)
    in_string = np.bitwise_xor.accumulate(changes == 0)
    depth = np.cumsum(np.where(in_string, 0, changes), dtype=np.int32).max(initial=0)
    if depth > MAX_DEPTH:
        raise json.JSONDecodeError(f"nested too deeply, more than {MAX_DEPTH} levels", "", 0)


def _name_trailing_comma(error: json.JSONDecodeError) -> json.JSONDecodeError:
    """Return the error of Python 3.13, which names a trailing comma, on every version."""
    message, text, position = "Illegal trailing comma", error.doc, error.pos
    if error.msg.startswith(message):
        return json.JSONDecodeError(message, text, position)
    before = text[:position].rstrip(_WHITESPACE)
    if before.endswith(",") and text[position:].lstrip(_WHITESPACE).startswith(("]", "}")):
        return json.JSONDecodeError(message, text, len(before) - 1)
    return error


def _mark_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                value[key] = Repeated()
            seen.add(key)
    return value
