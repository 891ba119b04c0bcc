"""Other model servers, each in an environment of its own, that serve the notebook model."""
