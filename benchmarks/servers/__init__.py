"""What the service is measured beside, each started as `uvicorn benchmarks.servers.NAME:app`."""
