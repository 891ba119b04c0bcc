"""What earlier runs have left: partitions that are done, and what is outdated or half-written."""

import re
from collections.abc import Iterable, Mapping, Sequence

from fsspec import AbstractFileSystem

from app.cluster.atomic_files import PARTIAL, remove
from app.cluster.job import Job, Outputs
from app.cluster.partitions import Partition
from app.cluster.receipts import Receipt, asked_of
from app.cluster.sources import filesystem_of

OUTPUT = re.compile(r"_?(.+)-[0-9]{5,}(\.[A-Za-z]+)(?:\.refused|\.receipt)?")
"""A file of a partition, by its source's stem and suffix."""


def make_directories(job: Job, partitions: Iterable[Partition]) -> None:
    """Make the directories that the answers go to."""
    filesystem, _ = filesystem_of(job.output)
    for directory in _directories(job, partitions):
        filesystem.makedirs(directory, exist_ok=True)


def completed_partitions(job: Job, partitions: Sequence[Partition]) -> dict[str, Receipt]:
    """The receipts of the partitions that need not be scored again, by their names."""
    filesystem, _ = filesystem_of(job.output)
    sizes = _sizes(filesystem, _directories(job, partitions))
    outputs = {partition.name: Outputs.of(job, partition.name) for partition in partitions}
    receipts = [paths.receipt for paths in outputs.values() if paths.receipt in sizes]
    contents = filesystem.cat(receipts) if receipts else {}
    done = {}
    for partition in partitions:
        paths = outputs[partition.name]
        receipt = Receipt.from_bytes(contents.get(paths.receipt, b""))
        if receipt is None or receipt.asked != asked_of(job, partition):
            continue
        if sizes.get(paths.answers) == receipt.answer_bytes:
            done[partition.name] = receipt
    return done


def clear(job: Job, partitions: Sequence[Partition], done: Mapping[str, Receipt]) -> None:
    """Remove what is there of the same sources and not done: no row has two answers at any time."""
    filesystem, root = filesystem_of(job.output)
    sources = {partition.source.name for partition in partitions}
    kept = {path for name in done for path in Outputs.of(job, name).all()}
    for path in _sizes(filesystem, _directories(job, partitions)):
        directory, _, file = path.rpartition("/")
        output = OUTPUT.fullmatch(file)
        source = f"{directory}/{output[1]}{output[2]}" if output else ""
        if path not in kept and source.removeprefix(f"{root}/") in sources:
            remove(filesystem, path)


def sweep(job: Job, partitions: Iterable[Partition]) -> None:
    """Remove what workers that were killed have left half-written."""
    filesystem, _ = filesystem_of(job.output)
    for path in _sizes(filesystem, _directories(job, partitions)):
        if PARTIAL.fullmatch(path.rpartition("/")[2]):
            remove(filesystem, path)


def _directories(job: Job, partitions: Iterable[Partition]) -> list[str]:
    answers = {Outputs.of(job, partition.name).answers for partition in partitions}
    return sorted({path.rpartition("/")[0] for path in answers})


def _sizes(filesystem: AbstractFileSystem, directories: Iterable[str]) -> dict[str, int]:
    """The files of some directories, and their bytes."""
    filesystem.invalidate_cache()
    sizes: dict[str, int] = {}
    for directory in directories:
        try:
            listing = filesystem.ls(directory, detail=True)
        except FileNotFoundError:  # an object store has no empty directories
            continue
        sizes |= {entry["name"]: entry["size"] for entry in listing if entry["type"] == "file"}
    return sizes
