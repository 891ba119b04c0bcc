"""The server process: the HTTP protocol, its limits and timeouts, workers, and the fast path."""
