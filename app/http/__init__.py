"""HTTP bodies, headers and errors; knows nothing of models."""
