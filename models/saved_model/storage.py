"""Save a model so that no crash can lose it, and load it so that no damage goes unnoticed."""

from pathlib import Path

from models.arrays import FloatArray
from models.house_price import HousePriceModel
from models.saved_model.card import ModelCard
from models.saved_model.directory import MANIFEST, read_files, write_files
from models.saved_model.encoding import SavedModel, decode, encode
from models.saved_model.errors import SavedModelError
from models.saved_model.manifest import seal, unseal

__all__ = ["MANIFEST", "SavedModel", "SavedModelError", "load_model", "save_model"]


def save_model(
    directory: Path, model: HousePriceModel, card: ModelCard, golden_rows: FloatArray
) -> SavedModel:
    """Save a model, together with its output for the golden rows (k, 8).

    A model that was saved there before is replaced completely or not at all. Raises
    SavedModelError if the model could not be loaded again, and OSError if it cannot be written.
    """
    content, parameters = encode(model, card, golden_rows)
    manifest = seal(content)
    saved = decode(unseal(manifest), parameters)
    write_files(directory, manifest, saved.sha256, parameters)
    return saved


def load_model(directory: Path) -> SavedModel:
    """Load the model saved in a directory, and verify it.

    Raises SavedModelError, which names the directory, if a file is missing or damaged, or if the
    model's output for its golden rows has changed.
    """
    try:
        return decode(*read_files(directory))
    except OSError as error:
        raise SavedModelError(
            f"{directory} must hold a readable saved model: {error.strerror}: {error.filename}"
        ) from error
    except SavedModelError as error:
        raise SavedModelError(f"{directory}: {error}") from error
