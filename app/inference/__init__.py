"""Loaded models, rows in, predictions out; independent of the web framework."""
