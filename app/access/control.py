"""The access policy in force: allowed hosts, API keys, and who sent a request."""

import threading
from typing import NamedTuple

from app.access.api_keys import APIKeys, read_keys
from app.access.hosts import HostNames
from app.access.policy import AccessPolicy
from app.http.headers import Headers


class Principal(NamedTuple):
    """Who sent a request that is allowed."""

    key_name: str | None = None  # None when no key is required


ANONYMOUS = Principal()


class AccessControl:
    """Decides which requests are allowed; the middlewares and the fast path share it.

    Raises KeysFileError when the policy names a file of API keys that cannot be read.
    """

    def __init__(self, policy: AccessPolicy) -> None:
        self.policy = policy
        self.hosts = HostNames(policy.allowed_hosts) if policy.allowed_hosts else None
        self._keys_file = policy.api_keys_file and policy.api_keys_file.absolute()
        self._reload_lock = threading.Lock()
        self.api_keys = read_keys(self._keys_file) if self._keys_file else None

    def authenticate(self, headers: Headers) -> Principal | None:
        """Return who sent a request to a protected address; None where the app must decide."""
        if self.policy.cors_origins:  # CORS headers are the app's to add
            return None
        if self.hosts is not None and not self.hosts.are_meant(headers):
            return None
        if self.api_keys is None:
            return ANONYMOUS
        name = self.key_name(headers)
        return None if name is None else Principal(name)

    def key_name(self, headers: Headers) -> str | None:
        """Return the name of the first known API key that a request carries."""
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

    def reload_keys(self) -> APIKeys | None:
        """Read the file of API keys again, if there is one; raises KeysFileError."""
        if self._keys_file is None:
            return None
        with self._reload_lock:
            self.api_keys = read_keys(self._keys_file)
        return self.api_keys
