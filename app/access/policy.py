"""What an operator can ask for, as data; imported by every command, so without the web."""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
HOST = re.compile(r"(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")
ORIGIN = re.compile(r"https?://[^\s/,@?#*]+|\*")


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Who gets in, apart from whoever has the admin token; as it stands, everyone."""

    api_keys_file: Path | None = None
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    open_metrics: bool = False


def hosts(text: str) -> tuple[str, ...]:
    """Names without a port, between commas; raises ArgumentTypeError."""
    return _each(text, HOST, "names as example.org or *.example.org, without ports,")


def origins(text: str) -> tuple[str, ...]:
    """Origins between commas; raises ArgumentTypeError."""
    return _each(text, ORIGIN, "origins as https://example.org, or *,")


def key_name(text: str) -> str:
    """Whose a key is; raises ArgumentTypeError."""
    if not KEY_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"must be up to 64 letters, digits and ._-, however: {text[:80]!a}"
        )
    return text


def _each(text: str, pattern: re.Pattern[str], required: str) -> tuple[str, ...]:
    items = tuple(item.strip() for item in text.split(","))
    for item in items:
        if not pattern.fullmatch(item):
            raise argparse.ArgumentTypeError(
                f"must be {required} with commas between them, however: {item[:80]!a}"
            )
    return items
