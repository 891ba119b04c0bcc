"""What a model is: features, scaler, network and interval, and how they are saved."""

from pathlib import Path

SAVED_MODELS = Path(__file__).parent / "saved"
"""A directory for each saved model, written by training."""

DEFAULT_MODEL = "notebook"
"""The saved model that answers when none is asked for."""
