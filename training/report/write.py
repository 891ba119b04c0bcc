"""Write the report next to a saved model, which it never touches."""

import logging
from pathlib import Path

from models.atomic_file import write_atomically
from models.house_price import HousePriceModel
from training.data import Dataset
from training.history import History
from training.report.pictures import DIRECTORY, PICTURES


class ReportError(Exception):
    """The report or the model card cannot be written."""


def write_report(
    directory: Path, model: HousePriceModel, train: Dataset, test: Dataset, history: History
) -> None:
    """Draw every picture of a model into the report beside it, in `directory/report/`.

    Raises ReportError where matplotlib is not installed.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # a font cache is nothing to tell
    try:
        # Imported here: who wants no report needs no matplotlib, and does not wait for it.
        from training.report.draw import draw  # noqa: PLC0415
    except ModuleNotFoundError as error:
        package, _, _ = str(error.name).partition(".")
        raise ReportError(f"{package} must be installed, however it is not") from error
    (directory / DIRECTORY).mkdir(exist_ok=True)
    for picture, content in draw(model, train, test, history):
        write_atomically(directory / DIRECTORY / picture.name, content)


def remove_report(directory: Path) -> None:
    """Remove the pictures of a model that was saved here before, and no other file."""
    for picture in PICTURES:
        (directory / DIRECTORY / picture.name).unlink(missing_ok=True)
