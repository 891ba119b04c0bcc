"""How a model is served: over HTTP, and from the command line."""

__version__ = "0.1.0"
