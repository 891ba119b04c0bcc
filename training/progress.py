"""What training tells while it runs, on standard error."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from tqdm import tqdm

from training.history import EpochRecord


@dataclass(frozen=True, slots=True)
class Progress:
    """A line now and then, and a bar where someone is watching: a terminal, not a log file."""

    quiet: bool = False

    def run(
        self,
        moments: Iterable[EpochRecord],
        total: int,
        *,
        counted_in: str = "Iter",
        line_every: int = 1,
        label: str = "fitting",
    ) -> list[EpochRecord]:
        """Run a fit to its end, with a line for every so many of its moments; returns them all."""
        taken = []
        with tqdm(
            moments, label, total, leave=False, file=sys.stderr, disable=self.quiet or None
        ) as bar:
            for moment in bar:
                taken.append(moment)
                bar.set_postfix_str(_describe(moment), refresh=False)
                if not self.quiet and moment.number % line_every == 0:
                    line = f"{counted_in} {moment.number}: {_describe(moment)}"
                    tqdm.write(line, file=sys.stderr)
        return taken


def _describe(moment: EpochRecord) -> str:
    described = f"loss = {moment.training_loss:.6f}"
    if moment.validation_rmse is not None:
        described += f", validation RMSE = {moment.validation_rmse:.4f}"
    return described
