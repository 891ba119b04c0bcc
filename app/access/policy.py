"""The access policy as data, and the paths that need no API key.

Every command imports this module to parse its options, so it imports no web framework.
"""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
HOST = re.compile(r"(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")
ORIGIN = re.compile(r"https?://[^\s/,@?#*]+|\*")

PROBES = frozenset({"/livez", "/readyz", "/healthz", "/v2/health/live", "/v2/health/ready"})
"""Requested by orchestrators, which know neither a key nor the service's host name."""

METRICS = "/metrics"

PAGES = frozenset({"/", "/docs", "/openapi.json"})
"""Requested by browsers, which send no key when they open a page; none holds a secret."""

PAGE_FILES = ("/docs/", "/page/")
"""Prefixes of the files that the pages load; a model's report is elsewhere and needs a key."""

RELOAD = re.compile("/models/[^/]+/reload")
"""Requires the admin token instead of a key."""


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """The operator's choices; the default lets everyone in."""

    api_keys_file: Path | None = None
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    open_metrics: bool = False

    def requires_key(self, path: str) -> bool:
        """Return whether requests to a path need an API key, provided that there are keys."""
        return not (
            path in PROBES
            or path in PAGES
            or path.startswith(PAGE_FILES)
            or (self.open_metrics and path == METRICS)
            or RELOAD.fullmatch(path)
        )


def hosts(text: str) -> tuple[str, ...]:
    """Parse host names without ports, separated by commas; raises ArgumentTypeError."""
    return _parse_list(text, HOST, "host names such as example.org or *.example.org, without ports")


def origins(text: str) -> tuple[str, ...]:
    """Parse origins, separated by commas; raises ArgumentTypeError."""
    return _parse_list(text, ORIGIN, "origins such as https://example.org, or *")


def key_name(text: str) -> str:
    """Parse the name of an API key; raises ArgumentTypeError."""
    if not KEY_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"must be 1 to 64 letters, digits and ._-, got {text[:80]!a}"
        )
    return text


def _parse_list(text: str, pattern: re.Pattern[str], expected: str) -> tuple[str, ...]:
    items = tuple(item.strip() for item in text.split(","))
    for item in items:
        if not pattern.fullmatch(item):
            raise argparse.ArgumentTypeError(
                f"must be {expected}, separated by commas, got {item[:80]!a}"
            )
    return items
