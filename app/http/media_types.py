"""Media types of request and response bodies."""

JSON = "application/json"
CSV = "text/csv"
NDJSON = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
BYTES = "application/octet-stream"
PROBLEM = "application/problem+json"  # RFC 9457
