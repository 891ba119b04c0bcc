"""Addresses that are open to whoever cannot send a key."""

import re

PROBES = frozenset({"/livez", "/readyz", "/healthz", "/v2/health/live", "/v2/health/ready"})
"""Asked by orchestrators, which know neither a key nor the service's name."""

METRICS = "/metrics"

DOCUMENTATION = frozenset({"/", "/docs", "/openapi.json"})
"""Opened by browsers, which send no key with a page; the documentation holds no secret."""

DOCUMENTATION_FILES = "/docs/"

ADMIN = re.compile("/models/[^/]+/reload")
"""Needs the admin token instead."""


def needs_key(path: str, *, open_metrics: bool) -> bool:
    """Whether an address is for those who have a key."""
    return not (
        path in PROBES
        or path in DOCUMENTATION
        or path.startswith(DOCUMENTATION_FILES)
        or (open_metrics and path == METRICS)
        or ADMIN.fullmatch(path)
    )
