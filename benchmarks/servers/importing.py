"""The floor in a process that has imported FastAPI."""

import fastapi

from benchmarks.servers.floor import app

__all__ = ["app", "fastapi"]
