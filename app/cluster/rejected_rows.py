"""The side file of a partition: the rows that are refused, and why."""

import csv
import io
from collections.abc import Iterator

from app.inference.rows import Rows


class RejectedRows:
    """Lines of `row,reason`; a row's number is that of its answer in the partition, from 1."""

    def __init__(self) -> None:
        self._rows = 0
        self._text = io.StringIO()
        self._lines = csv.writer(self._text, lineterminator="\n")

    def noted(self, parts: Iterator[Rows]) -> Iterator[Rows]:
        """The same parts; what is refused in them is noted."""
        for rows in parts:
            for index, reason in sorted(rows.refused.items()):
                self._lines.writerow((self._rows + index + 1, reason))
            self._rows += len(rows)
            yield rows

    def to_bytes(self) -> bytes:
        """As it is written; nothing where no row was refused."""
        lines = self._text.getvalue()
        return f"row,reason\n{lines}".encode() if lines else b""
