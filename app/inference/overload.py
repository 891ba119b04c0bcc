"""A concurrency limit, and the error that rejects work beyond it."""


class OverloadedError(Exception):
    """Too much work is in progress to accept more; the client may retry soon."""


class ConcurrencyLimit:
    """A context manager that a fixed number of tasks may enter at a time.

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
