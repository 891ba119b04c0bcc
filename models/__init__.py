"""What a model is: features, scaler, network and interval, and how they are saved."""

from pathlib import Path

SAVED_MODELS = Path(__file__).parent / "saved"
"""A directory for each saved model, written by training."""

DEFAULT_MODELS = ("champion", "notebook")
"""Which saved model answers when none is asked for: the first of these that is there."""
