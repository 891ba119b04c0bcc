"""The HTTP API: addresses, schemas, errors, and the OpenAPI document."""
