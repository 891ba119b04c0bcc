"""Baselines of the service, each started as `uvicorn benchmarks.servers.NAME:app`."""
