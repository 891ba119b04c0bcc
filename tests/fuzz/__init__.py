"""Hostile requests by the million, drawn from a seed: python -m tests.fuzz --help."""
