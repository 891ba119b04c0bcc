"""Addresses that are open to whoever cannot send a key."""

import re

PROBES = frozenset({"/livez", "/readyz", "/healthz", "/v2/health/live", "/v2/health/ready"})
"""Asked by orchestrators, which know neither a key nor the service's name."""

METRICS = "/metrics"

PAGES = frozenset({"/", "/docs", "/openapi.json"})
"""Opened by browsers, which send no key with a page; neither page holds a secret."""

PAGES_FILES = ("/docs/", "/page/")
"""Of the documentation, and of the page to try the models; a model's report needs a key."""

ADMIN = re.compile("/models/[^/]+/reload")
"""Needs the admin token instead."""


def needs_key(path: str, *, open_metrics: bool) -> bool:
    """Whether an address is for those who have a key."""
    return not (
        path in PROBES
        or path in PAGES
        or path.startswith(PAGES_FILES)
        or (open_metrics and path == METRICS)
        or ADMIN.fullmatch(path)
    )
