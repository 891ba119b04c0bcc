"""Every address has the same limit on nested JSON, independent of the recursion limit."""

import json
import sys

import pytest

from app.http.media_types import JSON, NDJSON
from app.http.strict_json import MAX_DEPTH, parse_strict_json, require_max_depth
from tests.support.rows import ROW

V2 = "/v2/models/notebook/infer"
TENSOR = {"name": "features", "shape": [1, 8], "datatype": "FP64", "data": [*ROW.values()]}
TOO_DEEP = f"nested too deeply, more than {MAX_DEPTH} levels"


def nested(levels):
    return "[" * levels + "]" * levels


def with_value(text, depth):
    """A body for each address: a row or a tensor that holds the text at a depth."""
    row = json.dumps({**ROW, "MedInc": "@"})
    request = json.dumps({"inputs": [TENSOR], "x": "@"})
    bodies = [
        ("/predict", JSON, row, 1),
        ("/explain", JSON, row, 1),
        ("/predict/batch", JSON, f"[{row}]", 2),
        ("/predict/batch", JSON, json.dumps({**{name: [1] for name in ROW}, "MedInc": "@"}), 1),
        ("/predict/batch", NDJSON, f"{row}\n", 1),
        (V2, JSON, request, 1),
    ]
    return [
        (address, media_type, body.replace('"@"', text(depth - outer)))
        for address, media_type, body, outer in bodies
    ]


def answers(client, bodies):
    for address, media_type, body in bodies:
        yield client.post(address, content=body, headers={"content-type": media_type}).text


def test_every_address_accepts_json_of_the_maximum_depth_and_rejects_one_level_more(client):
    deepest = [*answers(client, with_value(nested, MAX_DEPTH))]
    deeper = [*answers(client, with_value(nested, MAX_DEPTH + 1))]

    assert not any("nested too deeply" in answer for answer in deepest)
    assert all("got an array" in answer for answer in deepest[:3] + deepest[4:5])
    assert "outputs" in deepest[-1]  # V2 ignores members that it does not know
    assert all(TOO_DEEP in answer for answer in deeper)


@pytest.mark.parametrize("string", ["[" * 99, '"' + "[" * 99, "\\" + "{" * 99, '\\"' + "[{" * 99])
def test_brackets_in_strings_do_not_count_at_any_address(client, string):
    text = json.dumps(string)

    for answer in answers(client, with_value(lambda _: text, MAX_DEPTH)):
        assert "nested too deeply" not in answer
    assert parse_strict_json(text.encode()) == string


@pytest.mark.parametrize(
    ("before", "after"), [('"]]]]"', ""), (r'"\"]]]"', ""), (r'"\\"', '"]"'), ("{}", "[]")]
)
def test_brackets_next_to_strings_count(before, after):
    def text(levels):
        inner = ",".join(filter(None, [before, nested(levels), after]))
        return f"[{inner}]".encode()

    require_max_depth(text(MAX_DEPTH - 1))
    with pytest.raises(json.JSONDecodeError, match=TOO_DEEP):
        require_max_depth(text(MAX_DEPTH))


def test_many_shallow_arrays_are_not_deep():
    require_max_depth(b"[" + b'[{"a": []}],' * 1000 + b"[]]")


def test_the_depth_limit_does_not_depend_on_the_recursion_limit():
    limit = sys.getrecursionlimit()
    try:
        for other in (400, 100_000):
            sys.setrecursionlimit(other)
            parse_strict_json(nested(MAX_DEPTH).encode())
            with pytest.raises(json.JSONDecodeError, match=TOO_DEEP):
                parse_strict_json(nested(50_000).encode())
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize(
    ("text", "position"),
    [("[1,]", 2), ("[1 , ]", 3), ('{"a": 1,}', 7), ('{"a": 1,\n}', 7), ("[[1,], 2]", 3)],
)
def test_the_error_for_a_trailing_comma_has_its_position_on_every_python(text, position):
    with pytest.raises(json.JSONDecodeError) as error:
        parse_strict_json(text.encode())

    assert (error.value.msg, error.value.pos) == ("Illegal trailing comma", position)
