"""How a model is served: over HTTP, and from the command line."""
