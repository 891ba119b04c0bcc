"""The price model: features, encoders, network, intervals, and how it is saved and loaded."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.house_price import HousePriceModel
    from models.saved_model.storage import load_model

__all__ = ["DEFAULT_MODELS", "SAVED_MODELS", "HousePriceModel", "load_model"]

SAVED_MODELS = Path(__file__).parent / "saved"
"""One directory for each saved model, written by training."""

DEFAULT_MODELS = ("champion", "notebook")
"""The default model is the first of these that is saved."""


def __getattr__(name: str) -> object:
    """Import the public names on first use: the health check must not wait for NumPy."""
    if name == "HousePriceModel":
        from models.house_price import HousePriceModel  # noqa: PLC0415

        return HousePriceModel
    if name == "load_model":
        from models.saved_model.storage import load_model  # noqa: PLC0415

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
