"""Batches of rows: read and written in each media type, a part at a time."""
