"""What a run is asked for, as its workers need to know it."""

from dataclasses import dataclass

from app.cluster.sources import filesystem_of


@dataclass(frozen=True, slots=True)
class Job:
    """The same for all partitions of a run."""

    output: str  # the address of the directory of all answers
    model: str  # its name and digest
    level: float
    errors: bool  # whether CSV gets the column `error`


@dataclass(frozen=True, slots=True)
class Outputs:
    """The paths of what becomes of a partition.

    Programs that read a directory of tables leave out names that begin with an underscore.
    """

    answers: str
    refused: str  # is there only if rows were refused
    receipt: str

    @classmethod
    def of(cls, job: Job, name: str) -> "Outputs":
        """The paths for a partition of that name."""
        _, root = filesystem_of(job.output)
        directory, _, file = f"{root}/{name}".rpartition("/")
        return cls(
            answers=f"{directory}/{file}",
            refused=f"{directory}/_{file}.refused",
            receipt=f"{directory}/_{file}.receipt",
        )

    def all(self) -> tuple[str, str, str]:
        """All three."""
        return self.answers, self.refused, self.receipt
