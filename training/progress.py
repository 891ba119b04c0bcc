"""Progress of a fit on standard error."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from tqdm import tqdm

from training.history import EpochRecord


@dataclass(frozen=True, slots=True)
class Progress:
    """Prints a line every few records, and on a terminal a progress bar."""

    quiet: bool = False

    def run(
        self,
        records: Iterable[EpochRecord],
        total: int,
        *,
        prefix: str = "Iter",
        line_every: int = 1,
        label: str = "fitting",
    ) -> list[EpochRecord]:
        """Run a fit to its end by taking its records, and return them.

        Prints a line of prefix, number and losses for every `line_every` records.
        """
        taken = []
        with tqdm(
            records, label, total, leave=False, file=sys.stderr, disable=self.quiet or None
        ) as bar:
            for record in bar:
                taken.append(record)
                bar.set_postfix_str(_describe(record), refresh=False)
                if not self.quiet and record.number % line_every == 0:
                    line = f"{prefix} {record.number}: {_describe(record)}"
                    tqdm.write(line, file=sys.stderr)
        return taken


def _describe(record: EpochRecord) -> str:
    text = f"loss = {record.training_loss:.6f}"
    if record.validation_rmse is not None:
        text += f", validation RMSE = {record.validation_rmse:.4f}"
    return text
