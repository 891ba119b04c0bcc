"""Loaded models, rows in, predictions out; knows no web framework."""
