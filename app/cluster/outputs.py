"""What a partition leaves in the output directory: predictions, rejected rows, and a receipt."""

import json
from dataclasses import dataclass
from typing import Any

from app import __version__
from app.cluster.partitions import Partition
from app.cluster.storage import resolve_address


@dataclass(frozen=True, slots=True)
class Job:
    """The settings that all partitions of a run share."""

    output: str  # address of the output directory
    model: str  # name and digest
    level: float  # of the intervals
    error_column: bool  # whether CSV predictions have the column `error`


@dataclass(frozen=True, slots=True)
class OutputPaths:
    """The paths of a partition's output files.

    Programs that read a directory of tables skip names that begin with an underscore.
    """

    predictions: str
    rejected: str  # exists only if rows were rejected
    receipt: str

    @classmethod
    def of(cls, job: Job, partition_name: str) -> "OutputPaths":
        """The paths on the output's filesystem."""
        _, root = resolve_address(job.output)
        directory, _, file = f"{root}/{partition_name}".rpartition("/")
        return cls(
            predictions=f"{directory}/{file}",
            rejected=f"{directory}/_{file}.refused",
            receipt=f"{directory}/_{file}.receipt",
        )

    def all(self) -> tuple[str, str, str]:
        """All three paths."""
        return self.predictions, self.rejected, self.receipt


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that a partition is complete: its inputs and its result. It is written last."""

    inputs: dict[str, Any]  # see `inputs_of`
    rows: int
    rejected: int
    first_errors: list[tuple[int, str]]
    """Row number, from 1 within the partition, and reason of the first rejected rows."""
    prediction_bytes: int

    def to_bytes(self) -> bytes:
        """The content of the receipt file, JSON. Renaming a field would invalidate old receipts."""
        receipt = {
            "asked": self.inputs,
            "rows": self.rows,
            "refused": self.rejected,
            "reasons": self.first_errors,
            "answer_bytes": self.prediction_bytes,
        }
        return json.dumps(receipt, indent=2).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes) -> "Receipt | None":
        """Parse the content of a receipt file. None if it is not a receipt."""
        try:
            receipt = json.loads(content)
            return cls(
                receipt["asked"],
                receipt["rows"],
                receipt["refused"],
                receipt["reasons"],
                receipt["answer_bytes"],
            )
        except (KeyError, TypeError, ValueError):
            return None


def inputs_of(job: Job, partition: Partition) -> dict[str, Any]:
    """Everything that determines the predictions of a partition, as JSON values."""
    return {
        "source": partition.source.address,
        "fingerprint": partition.source.fingerprint,
        "start": partition.start,
        "stop": partition.stop,
        "model": job.model,
        "level": job.level,
        "errors": job.error_column,
        "version": __version__,
    }
