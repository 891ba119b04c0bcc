"""A file that appears whole or not at all."""

import shutil
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a text under a path, replacing a file there in one step; raises OSError.

    A link is followed, a file's mode is kept, and a device or pipe is written to as it is.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        target.write_text(text, encoding="utf-8")
        return
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        if target.exists():
            shutil.copymode(target, partial)
        partial.replace(target)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
