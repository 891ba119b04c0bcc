"""What training tells while it runs, on standard error."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from tqdm import tqdm

from training.history import History

LINES_EVERY = 10

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Progress:
    """The notebook's lines, and a bar where someone is watching: a terminal, not a log file."""

    quiet: bool = False

    def run(self, losses: Iterable[float], steps: int) -> History:
        """Run a fit to its end, printing the loss of every tenth step."""
        taken: list[float] = []
        for step, loss in enumerate(self._bar(losses, "fitting", steps)):
            taken.append(loss)
            if not self.quiet and step % LINES_EVERY == 0:
                tqdm.write(f"Iter {step}: loss = {loss:.6f}", file=sys.stderr)
        return History.of_losses(taken)

    def folds(self, folds: Iterable[int]) -> Iterator[int]:
        """Pass the folds of a calibration through."""
        return iter(self._bar(folds, "calibrating", None))

    def _bar(self, items: Iterable[T], label: str, total: int | None) -> Iterable[T]:
        return tqdm(items, label, total, leave=False, file=sys.stderr, disable=self.quiet or None)
