"""model.json: readable by people and programs, and sealed against every change.

The seal is the SHA-256 of the text without the seal, and the text must be exactly what this module
writes. So a flipped bit changes the content, the seal or the layout, and each of them is noticed.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from models.saved_model.errors import SavedModelError

FORMAT = 1


def seal(content: Mapping[str, Any]) -> bytes:
    """The text of a manifest with this content.

    Raises SavedModelError where a number is NaN or infinite, which JSON cannot hold.
    """
    body = {"format": FORMAT, **content}
    return _text({**body, "seal": hashlib.sha256(_text(body)).hexdigest()})


def unseal(manifest: bytes) -> dict[str, Any]:
    """The content of a manifest.

    Raises SavedModelError where the text is not, to the byte, what `seal` wrote.
    """
    try:
        content: dict[str, Any] = json.loads(manifest)
        found = content.pop("format")
        del content["seal"]
        is_sealed = seal(content) == manifest
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SavedModelError(
            "model.json must be a JSON object with a format and a seal, however it is not"
        ) from error
    if found != FORMAT:
        raise SavedModelError(f"model.json must have the format {FORMAT}, however: {found!r:.40}")
    if not is_sealed:
        raise SavedModelError("model.json must match its seal, however it was changed or damaged")
    return content


def _text(content: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(content, indent=2, allow_nan=False).encode() + b"\n"
    except ValueError as error:
        raise SavedModelError(
            "every number of a model must be finite, however one is NaN or infinite"
        ) from error
