"""Metrics, the access log, and messages on standard error."""
