"""Fitting loops: full-batch gradient descent, and mini-batches in epochs."""
