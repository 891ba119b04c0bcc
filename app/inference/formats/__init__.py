"""Rows and predictions as JSON, CSV, NDJSON, Arrow and Parquet."""
