"""How schemathesis writes the media types that it does not know: their schema is a text."""

import schemathesis


@schemathesis.serializer("application/x-ndjson", "application/vnd.apache.arrow.stream")
def as_it_is(context, value):
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")
