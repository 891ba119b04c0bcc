"""Write or remove the report beside a saved model, without changing the model."""

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
    """Draw every picture of a model into `directory/report/`.

    Raises ReportError if matplotlib is not installed.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it announces its font cache
    try:
        # Imported here: training without a report needs no matplotlib.
        from training.report.draw import draw  # noqa: PLC0415
    except ModuleNotFoundError as error:
        package, _, _ = str(error.name).partition(".")
        raise ReportError(f"{package} must be installed. Run `make .venv/training`.") from error
    (directory / DIRECTORY).mkdir(exist_ok=True)
    for picture, content in draw(model, train, test, history):
        write_atomically(directory / DIRECTORY / picture.name, content)


def remove_report(directory: Path) -> None:
    """Remove the pictures of the previous model, and no other file."""
    for picture in PICTURES:
        (directory / DIRECTORY / picture.name).unlink(missing_ok=True)
