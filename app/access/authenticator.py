"""The access policy for what is answered without the app: the rules of its middlewares."""

from dataclasses import dataclass
from typing import NamedTuple

from starlette.datastructures import State

from app.access.hosts import HostNames
from app.access.require_key import name_of_key
from app.http.headers import Headers


class Principal(NamedTuple):
    """Who is let in."""

    key_name: str | None = None  # where keys are asked for


ANONYMOUS = Principal()


@dataclass(frozen=True, slots=True)
class Authenticator:
    """What is asked of a request to an address that is for those who have a key."""

    state: State  # of the app, where the keys are, if they are asked for
    asks_for_keys: bool
    names: HostNames | None
    cors_enabled: bool  # whether web pages may ask; what CORS makes of an answer is the app's part

    def admit(self, headers: Headers) -> Principal | None:
        """Who sent a request; None where that is for the app to find out, or to refuse."""
        if self.cors_enabled or (self.names is not None and not self.names.are_meant(headers)):
            return None
        if not self.asks_for_keys:
            return ANONYMOUS
        name = name_of_key(self.state.api_keys, headers)
        return None if name is None else Principal(name)
