"""model.json: readable by people and programs, and sealed against every change.

The seal is the SHA-256 of the text without the seal. Loading also requires the text to be exactly
what this module writes, so a flipped bit is detected in the content, the seal and the layout.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from models.saved_model.errors import SavedModelError

FORMAT = 1


def seal(content: Mapping[str, Any]) -> bytes:
    """Write content as the text of a manifest.

    Raises SavedModelError if a number is NaN or infinite, which JSON cannot represent.
    """
    body = {"format": FORMAT, **content}
    return _text({**body, "seal": hashlib.sha256(_text(body)).hexdigest()})


def unseal(manifest: bytes) -> dict[str, Any]:
    """Return the content of a manifest.

    Raises SavedModelError unless the text is byte for byte what `seal` wrote.
    """
    try:
        content: dict[str, Any] = json.loads(manifest)
        found = content.pop("format")
        del content["seal"]
        is_sealed = seal(content) == manifest
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SavedModelError(
            "model.json must be a JSON object with a format and a seal"
        ) from error
    if found != FORMAT:
        raise SavedModelError(f"model.json must have the format {FORMAT}, got {found!r:.40}")
    if not is_sealed:
        raise SavedModelError("model.json must match its seal, but it was changed or damaged")
    return content


def _text(content: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(content, indent=2, allow_nan=False).encode() + b"\n"
    except ValueError as error:
        raise SavedModelError("every number of a model must be finite") from error
