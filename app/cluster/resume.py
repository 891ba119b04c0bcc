"""What earlier runs have left: completed partitions, outdated files, and partial files."""

import re
from collections.abc import Iterable, Mapping, Sequence

from fsspec import AbstractFileSystem

from app.cluster.outputs import Job, OutputPaths, Receipt, inputs_of
from app.cluster.partitions import Partition
from app.cluster.storage import PARTIAL_FILE, remove, resolve_address

OUTPUT_FILE = re.compile(r"_?(.+)-[0-9]{5,}(\.[A-Za-z]+)(?:\.refused|\.receipt)?")
"""Name of a partition's output file; the groups are its source's stem and suffix."""


def make_directories(job: Job, partitions: Iterable[Partition]) -> None:
    """Create the directories of the output files."""
    filesystem, _ = resolve_address(job.output)
    for directory in _directories(job, partitions):
        filesystem.makedirs(directory, exist_ok=True)


def completed_partitions(job: Job, partitions: Sequence[Partition]) -> dict[str, Receipt]:
    """Receipts by name of the partitions whose predictions are complete and up to date."""
    filesystem, _ = resolve_address(job.output)
    sizes = _file_sizes(filesystem, _directories(job, partitions))
    outputs = {partition.name: OutputPaths.of(job, partition.name) for partition in partitions}
    existing = [paths.receipt for paths in outputs.values() if paths.receipt in sizes]
    contents = filesystem.cat(existing) if existing else {}
    completed = {}
    for partition in partitions:
        paths = outputs[partition.name]
        receipt = Receipt.from_bytes(contents.get(paths.receipt, b""))
        if receipt is None or receipt.inputs != inputs_of(job, partition):
            continue
        if sizes.get(paths.predictions) == receipt.prediction_bytes:
            completed[partition.name] = receipt
    return completed


def remove_outdated(
    job: Job, partitions: Sequence[Partition], completed: Mapping[str, Receipt]
) -> None:
    """Remove the other output files of the same sources, so that no row has two predictions."""
    filesystem, root = resolve_address(job.output)
    sources = {partition.source.name for partition in partitions}
    kept = {path for name in completed for path in OutputPaths.of(job, name).all()}
    for path in _file_sizes(filesystem, _directories(job, partitions)):
        directory, _, file = path.rpartition("/")
        output = OUTPUT_FILE.fullmatch(file)
        source = f"{directory}/{output[1]}{output[2]}" if output else ""
        if path not in kept and source.removeprefix(f"{root}/") in sources:
            remove(filesystem, path)


def remove_partial_files(job: Job, partitions: Iterable[Partition]) -> None:
    """Remove the files that killed workers have left half-written."""
    filesystem, _ = resolve_address(job.output)
    for path in _file_sizes(filesystem, _directories(job, partitions)):
        if PARTIAL_FILE.fullmatch(path.rpartition("/")[2]):
            remove(filesystem, path)


def _directories(job: Job, partitions: Iterable[Partition]) -> list[str]:
    paths = {OutputPaths.of(job, partition.name).predictions for partition in partitions}
    return sorted({path.rpartition("/")[0] for path in paths})


def _file_sizes(filesystem: AbstractFileSystem, directories: Iterable[str]) -> dict[str, int]:
    """Bytes by path of all files in the directories."""
    filesystem.invalidate_cache()
    sizes: dict[str, int] = {}
    for directory in directories:
        try:
            listing = filesystem.ls(directory, detail=True)
        except FileNotFoundError:  # an object store has no empty directories
            continue
        sizes |= {entry["name"]: entry["size"] for entry in listing if entry["type"] == "file"}
    return sizes
