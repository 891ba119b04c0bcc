"""What lies beside a partition's answers: what they are the answers to, and what became of it.

It is written last, so that whatever has a receipt is whole.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from app import __version__
from app.cluster.job import Job
from app.cluster.partitions import Partition


@dataclass(frozen=True, slots=True)
class Receipt:
    """Of one partition."""

    asked: dict[str, Any]
    rows: int
    refused: int
    reasons: list[tuple[int, str]]
    """The first of the rows that are refused, by their numbers from 1 within it, and why."""
    answer_bytes: int

    def to_bytes(self) -> bytes:
        """As it is written."""
        return json.dumps(asdict(self), indent=2).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes) -> "Receipt | None":
        """As it was written; None where it was not."""
        try:
            return cls(**json.loads(content))
        except (TypeError, ValueError):
            return None


def asked_of(job: Job, partition: Partition) -> dict[str, Any]:
    """All that a partition's answers depend on."""
    return {
        "source": partition.source.address,
        "fingerprint": partition.source.fingerprint,
        "start": partition.start,
        "stop": partition.stop,
        "model": job.model,
        "level": job.level,
        "errors": job.errors,
        "version": __version__,
    }
