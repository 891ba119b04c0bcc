"""Request bodies that are made to break a JSON parser or a schema."""

import json

from tests.support.rows import ROW

TEXT = json.dumps(ROW)

HOSTILE = {
    "NaN": TEXT.replace("8.3252", "NaN"),
    "Infinity": TEXT.replace("8.3252", "Infinity"),
    "a number beyond all floats": TEXT.replace("8.3252", "1e400"),
    "a finite number beyond all bounds": TEXT.replace("8.3252", "1.7e308"),
    "a string": TEXT.replace("8.3252", '"8.3"'),
    "a string with an underscore": TEXT.replace("8.3252", '"8_3"'),
    "a boolean": TEXT.replace("8.3252", "true"),
    "a key twice": TEXT.replace("{", '{"MedInc": 8.3252, '),
    "a byte order mark": "\ufeff" + TEXT,
    "UTF-16": TEXT.encode("utf-16"),
    "half of a surrogate pair as a key": TEXT.replace("MedInc", r"\ud800"),
    "half of a surrogate pair as a value": TEXT.replace("8.3252", r'"\ud800"'),
    "33 levels": "[" * 32 + TEXT + "]" * 32,
    "960 levels": "[" * 960 + TEXT + "]" * 960,
    "1,000 levels of objects": '{"a":' * 1_000 + TEXT + "}" * 1_000,
    "32,000 levels": "[" * 32_000 + "]" * 32_000,
    "20,000 empty rows": "[" + "{}," * 20_000 + "{}]",
    "a ragged batch": json.dumps({name: [1] * index for index, name in enumerate(ROW)}),
    "an empty body": "",
    "null": "null",
}
