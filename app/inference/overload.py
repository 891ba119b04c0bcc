"""Limits to the work that is under way, and the error of a request beyond them."""


class OverloadedError(Exception):
    """Too much work is under way to take more; the client may retry soon."""


class ConcurrencyLimit:
    """A context manager that admits a fixed number of users at a time.

    Entering raises OverloadedError when it is full.
    """

    def __init__(self, limit: int) -> None:
        self._free = limit

    def __enter__(self) -> None:
        if not self._free:
            raise OverloadedError
        self._free -= 1

    def __exit__(self, *_: object) -> None:
        self._free += 1
