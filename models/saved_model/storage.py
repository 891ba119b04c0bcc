"""Save a model so that no crash can lose it, load it so that no damage goes unnoticed.

A model is two files of a directory: `parameters-SHA256.npz`, named after its own digest, and
`model.json`, which names that digest and is renamed into place last. Whatever moment a save is
cut off at, `model.json` is whole and points at a parameters file that is whole.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.arrays import FloatArray
from models.house_price import HousePriceModel
from models.interval import Estimate
from models.network import Network
from models.saved_model.card import ModelCard
from models.saved_model.components import Description, describe
from models.saved_model.errors import SavedModelError, reason
from models.saved_model.manifest import seal, unseal
from models.saved_model.parameters import Parts, pack, unpack
from models.training_ranges import TrainingRanges

__all__ = ["MANIFEST", "SavedModel", "SavedModelError", "load_model", "save_model"]

MANIFEST = "model.json"
PARAMETERS = r"parameters-[0-9a-f]{64}\.npz"
LEFT_OVER = re.compile(rf"{PARAMETERS}|\.({PARAMETERS}|model\.json)\.partial")
READ_ATTEMPTS = 10
GOLDEN_TOLERANCES = {  # 100,000 USD; another machine's rounding stays far below them
    np.dtype(np.float64): 1e-9,
    np.dtype(np.float32): 1e-4,
}


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A model and its card, verified."""

    model: HousePriceModel
    card: ModelCard
    sha256: str  # of the parameters file
    golden_rows: FloatArray  # (k, 8)
    golden_estimate: Estimate  # the answers to the golden rows, (k,) each

    @property
    def version(self) -> str:
        """The first 8 hex digits of the parameters' SHA-256."""
        return self.sha256[:8]


def save_model(
    directory: Path, model: HousePriceModel, card: ModelCard, golden_rows: FloatArray
) -> SavedModel:
    """Save a model with the answers that it must give to the golden rows (k, 8).

    A model saved there before is replaced in one step, or not at all. Raises SavedModelError where
    what would be written could not be loaded, and OSError where it cannot be written.
    """
    parts = _parts_of(model)
    parameters = pack(parts)
    descriptions = {name: describe(part) for name, part in parts.items()}
    unpack(parameters, descriptions)  # before golden answers are made with them
    digest = hashlib.sha256(parameters).hexdigest()
    manifest = seal(_manifest(model, card, digest, descriptions, golden_rows))
    saved = _decode(unseal(manifest), parameters)

    _make_durably(directory)
    with _locked(directory) as directory_fd:
        parameters_path = directory / _parameters_name(digest)
        _write_durably(parameters_path, parameters, directory_fd)
        _write_durably(directory / MANIFEST, manifest, directory_fd)
        for path in directory.iterdir():
            if LEFT_OVER.fullmatch(path.name) and path != parameters_path:
                path.unlink()
    return saved


def load_model(directory: Path) -> SavedModel:
    """The model saved in a directory, after every check that can be made of it.

    Raises SavedModelError, naming the directory, where a file is missing, damaged, or does not do
    what it did when it was saved.
    """
    try:
        return _decode(*_read(directory))
    except OSError as error:
        raise SavedModelError(
            f"{directory} must hold a readable saved model, however: {error.strerror}: "
            f"{error.filename}"
        ) from error
    except SavedModelError as error:
        raise SavedModelError(f"{directory}: {error}") from error


def _parts_of(model: HousePriceModel) -> Parts:
    layers = {f"layers.{index}": layer for index, layer in enumerate(model.network.layers)}
    return {
        "encoder": model.encoder,
        **layers,
        "interval": model.interval,
        "background": model.background,
    }


def _manifest(
    model: HousePriceModel,
    card: ModelCard,
    digest: str,
    descriptions: Mapping[str, Description],
    golden_rows: FloatArray,
) -> dict[str, Any]:
    golden = model.estimate(golden_rows)
    return {
        **card.to_json(),
        **model.training_ranges.to_json(),
        "parts": descriptions,
        "parameters_sha256": digest,
        "golden": {
            "rows": golden_rows.tolist(),
            **{name: values.tolist() for name, values in golden._asdict().items()},
        },
    }


def _decode(content: Mapping[str, Any], parameters: bytes) -> SavedModel:
    """The saved model from a manifest's content and the parameters file."""
    fields = dict(content)
    try:
        digest, golden = fields.pop("parameters_sha256"), fields.pop("golden")
        if hashlib.sha256(parameters).hexdigest() != digest:
            raise SavedModelError("the parameters file must match its digest, however it does not")
        parts = dict(unpack(parameters, fields.pop("parts")))
        ranges = TrainingRanges.from_json(fields.pop("features"), fields.pop("target"))
        model = _assemble(parts, ranges)
        golden_rows = np.array(golden.pop("rows"), dtype=np.float64)
        golden_estimate = Estimate(
            **{name: np.array(values, dtype=np.float64) for name, values in golden.items()}
        )
        card = ModelCard.from_json(fields)
        _check_golden(model, golden_rows, golden_estimate)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise SavedModelError(
            "model.json must have every field of a model, and no other, "
            f"however: {type(error).__name__}: {reason(error):.200}"
        ) from error
    return SavedModel(model, card, digest, golden_rows, golden_estimate)


def _assemble(parts: dict[str, Any], ranges: TrainingRanges) -> HousePriceModel:
    encoder, interval = parts.pop("encoder"), parts.pop("interval")
    background = parts.pop("background")
    layers = [parts.pop(f"layers.{index}") for index in range(len(parts))]
    return HousePriceModel(encoder, Network(layers), interval, ranges, background)


def _check_golden(model: HousePriceModel, rows: FloatArray, expected: Estimate) -> None:
    errors = np.abs(np.array(model.estimate(rows)) - np.array(expected))
    tolerance = GOLDEN_TOLERANCES[model.network.dtype]
    if not (errors <= tolerance).all():
        raise SavedModelError(
            f"the golden rows must give their outputs to {tolerance:g}, "
            f"however they are off by {errors.max():g}"
        )


def _read(directory: Path) -> tuple[dict[str, Any], bytes]:
    """The manifest's content and the parameters file that belongs to it.

    A save may replace both between the two reads; then the new pair is read.
    """
    for attempts_left in reversed(range(READ_ATTEMPTS)):
        content = unseal((directory / MANIFEST).read_bytes())
        digest = content.get("parameters_sha256")
        if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
            raise SavedModelError(
                f"parameters_sha256 must be 64 hex digits, however: {digest!r:.80}"
            )
        try:
            return content, (directory / _parameters_name(digest)).read_bytes()
        except FileNotFoundError:
            if not attempts_left:
                raise
    raise AssertionError("unreachable")


def _parameters_name(digest: str) -> str:
    return f"parameters-{digest}.npz"


@contextmanager
def _locked(directory: Path) -> Iterator[int]:
    """One writer at a time; gives the directory's descriptor. A kill releases the lock."""
    directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory_fd, fcntl.LOCK_EX)
        yield directory_fd
    finally:
        os.close(directory_fd)


def _make_durably(directory: Path) -> None:
    """Make a directory and those above it, each flushed into the one that holds it."""
    if directory.is_dir():
        return
    _make_durably(directory.parent)
    directory.mkdir(exist_ok=True)
    parent_fd = os.open(directory.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent_fd)
    finally:
        os.close(parent_fd)


def _write_durably(path: Path, content: bytes, directory_fd: int) -> None:
    """Write beside, flush to disk, rename, flush the rename: whole under its name or not there."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    os.fsync(directory_fd)
