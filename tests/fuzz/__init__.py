"""A fuzzer for the HTTP API: python -m tests.fuzz --help."""
