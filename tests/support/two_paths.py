"""One request by both paths of POST /predict: the fast path, and the app's own route.

A request with a chunked body never takes the fast path, so each request is sent twice.
"""

import json
import re
from dataclasses import replace

from tests.fuzz.case import Case
from tests.fuzz.client import Connection
from tests.support.rows import ROW

JSON = ("Content-Type", "application/json")
REQUEST_ID = ("X-Request-ID", "test")
DATE = re.compile(rb"date: [^\r]+\r\n")
TEXT = json.dumps(ROW)


def predict_case(body, path="/predict", headers=(JSON,)):
    """A POST request, which the fuzzer's client can send."""
    return Case("predict", path, headers, body if isinstance(body, bytes) else body.encode())


VALID = [
    predict_case(TEXT),
    *(predict_case(TEXT, f"/predict?{query}") for query in ("level=0.5", "model=champion", "model=notebook&level=0.95")),
    *(predict_case(TEXT, headers=((JSON[0], value),)) for value in ("application/json; charset=utf-8", "Application/JSON")),
    predict_case(TEXT, headers=(JSON, ("Accept", "*/*"), ("Origin", "http://a.example"), ("traceparent", "00"))),
    *(predict_case(TEXT.replace("8.3252", number)) for number in ("3", "-0", "0.0", "1e1", "1E+1", "99.99999999999999999999", "100", "5e-324")),
    *(predict_case(TEXT.replace("37.88", number)) for number in ("32", "43", "37.880000000000000000001")),
    predict_case(json.dumps(ROW, indent=4)),
    predict_case(json.dumps(dict(reversed(ROW.items())))),
    predict_case(TEXT.replace("MedInc", r"\u004dedInc")),
]  # fmt: skip
"""Requests that get 200 and take the fast path."""


async def send_by_both_paths(port, cases):
    """The two responses to each case: to a body with a length, and to a chunked one."""
    whole, chunked = Connection(port), Connection(port)
    pairs = []
    for case in cases:
        with_id = replace(case, headers=(*case.headers, REQUEST_ID))
        pairs.append(
            (
                await whole.exchange(replace(with_id, framing="length").to_bytes()),
                await chunked.exchange(replace(with_id, framing="chunked").to_bytes()),
            )
        )
    whole.close()
    chunked.close()
    return pairs


def assert_alike(cases, pairs):
    """Check that both responses to each case are the same bytes, except for the date."""
    for case, (whole, chunked) in zip(cases, pairs, strict=True):
        assert whole.body == chunked.body, case
        assert DATE.sub(b"", whole.head) == DATE.sub(b"", chunked.head), case
