"""The access checks; the middlewares and the fast path both call them."""

import threading
from typing import NamedTuple

from app.access.api_keys import APIKeys, read_keys
from app.access.hosts import HostNames
from app.access.policy import AccessPolicy
from app.http.headers import MODEL_HEADER, REQUEST_ID_HEADER, Headers

EXPOSED_HEADERS = (MODEL_HEADER, REQUEST_ID_HEADER)
"""Response headers that scripts of another origin may read."""


class Principal(NamedTuple):
    """The sender of an allowed request."""

    key_name: str | None = None  # None if no key is required


ANONYMOUS = Principal()


class AccessControl:
    """An access policy in force.

    Raises KeysFileError if the policy names an API keys file that cannot be read.
    """

    def __init__(self, policy: AccessPolicy) -> None:
        self.policy = policy
        self.hosts = HostNames(policy.allowed_hosts) if policy.allowed_hosts else None
        self._keys_file = policy.api_keys_file and policy.api_keys_file.absolute()
        self._reload_lock = threading.Lock()
        self.api_keys = read_keys(self._keys_file) if self._keys_file else None

    @property
    def cors_enabled(self) -> bool:
        """Whether web pages of other origins may use the service."""
        return bool(self.policy.cors_origins)

    def authenticate(self, headers: Headers) -> Principal | None:
        """Return the sender of a request to a protected path; None if it must be rejected."""
        if self.hosts is not None and not self.hosts.allow(headers):
            return None
        if self.api_keys is None:
            return ANONYMOUS
        name = self.key_name(headers)
        return None if name is None else Principal(name)

    def key_name(self, headers: Headers) -> str | None:
        """Return the name of the first known API key in a request's headers."""
        if self.api_keys is None:
            return None
        for header, value in headers:
            if header == b"x-api-key":
                key = value
            elif header == b"authorization" and value[:7].lower() == b"bearer ":
                key = value[7:].strip()
            else:
                continue
            if name := self.api_keys.name_of(key):
                return name
        return None

    def cors_headers(self, origin: bytes | None) -> Headers:
        """Return the CORS headers of the response to a request with this Origin, or with none.

        They are those of Starlette's CORSMiddleware, in the same order. Only the middleware
        responds to preflight requests.
        """
        if not self.cors_enabled:
            return []
        vary = (b"vary", b"Origin")
        if origin is None:
            return [vary]
        expose = (b"access-control-expose-headers", ", ".join(EXPOSED_HEADERS).encode())
        if "*" in self.policy.cors_origins:
            return [(b"access-control-allow-origin", b"*"), expose, vary]
        if origin.decode("latin-1") in self.policy.cors_origins:
            return [expose, (b"access-control-allow-origin", origin), vary]
        return [expose, vary]

    def reload_keys(self) -> APIKeys | None:
        """Read the API keys file again, if there is one; raises KeysFileError."""
        if self._keys_file is None:
            return None
        with self._reload_lock:
            self.api_keys = read_keys(self._keys_file)
        return self.api_keys
