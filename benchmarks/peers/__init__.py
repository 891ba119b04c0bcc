"""Other model servers, each in its own environment, that serve the notebook model."""
