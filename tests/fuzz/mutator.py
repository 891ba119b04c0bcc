"""Random mutations of numbers, JSON objects and bytes."""

import json
import math
from random import Random

from models.features import FEATURES, Column

Pairs = list[tuple[str, str]]
"""The keys of a JSON object and its serialized values, which may be invalid JSON."""

NOT_NUMBERS = (
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1.8e308", "true", "false", "null"),
    *('"8.3"', '"8_3"', '""', "[]", "{}", "[8.3]", '{"a": 1}', "8_3", "01", "+1", ".5", "5.", "1e"),
    *("0x10", "1,5", "'1'", "--1", "- 1", "\u0663", "\uff11", "1\u0000", '"\\ud800"', "9" * 400),
)
ODD_NUMBERS = (
    "-0",
    "-0.0",
    "0",
    "0e5",
    "1E1",
    "4e+1",
    "1e-400",
    "5e-324",
    "33",
    "-120.0",
    "1" * 25,
)
OTHER_ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7")
INVALID_UTF8 = (
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf5\x80\x80\x80",
    b"\xe2\x82",
    b"\x00",
    b"\x80",
)
SNIPPETS = (
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\r",
    b"\r\n",
    b" ",
    b"null",
    b"e9",
)
DEPTHS = (25, 31, 32, 33, 50, 900, 1_000, 3_000, 20_000)
MISSPELT = (
    "MedIncome",
    "medinc",
    "house_age",
    "LONGITUDE",
    "Latitude ",
    "",
    "\\u0000",
    "\\ud800",
    "é",
)


def number(rng: Random, feature: Column) -> str:
    """A number that is usually within the bounds of a feature, sometimes at or next to a bound."""
    draw = rng.random()
    if draw < 0.03:
        bound = rng.choice((feature.minimum, feature.maximum))
        return repr(
            float(rng.choice((bound, math.nextafter(bound, 1e9), math.nextafter(bound, -1e9))))
        )
    value = rng.uniform(feature.lowest, feature.maximum)
    if draw < 0.1:
        return f"{value:.0f}" if draw < 0.06 else f"{value:e}"
    return repr(value if draw < 0.3 else round(value, 4))


def odd_value(rng: Random, marker: str) -> str:
    if rng.random() < 0.2:
        return rng.choice((json.dumps(marker), f'{{"{marker}": 1}}', f'["{marker}"]', marker))
    return rng.choice(ODD_NUMBERS if rng.random() < 0.3 else NOT_NUMBERS)


def row(rng: Random) -> Pairs:
    pairs = [(feature.name, number(rng, feature)) for feature in FEATURES]
    if rng.random() < 0.2:
        rng.shuffle(pairs)
    return pairs


def damage_row(rng: Random, pairs: Pairs, marker: str) -> Pairs:
    """Apply one or two structural mutations; the row may stay valid."""
    for _ in range(rng.choice((1, 1, 1, 2))):
        at = rng.randrange(len(pairs)) if pairs else 0
        name, value = pairs[at] if pairs else ("MedInc", "1")
        draw = rng.randrange(9)
        if draw <= 3:
            pairs[at : at + 1] = [(name, odd_value(rng, marker))]
        elif draw == 4:
            del pairs[at : at + 1]
        elif draw == 5:
            pairs.insert(rng.randrange(len(pairs) + 1), (name, rng.choice((value, "1"))))
        elif draw == 6:
            other = rng.choice((*MISSPELT, marker, name.upper(), _escaped(name)))
            pairs[at : at + 1] = [(other, value)]
        elif draw == 7:
            pairs.append((marker, odd_value(rng, marker)))
        else:
            wrapped = rng.choice(("[{}]", "[{}]", "[]"))
            pairs[:] = [(key, wrapped.format(text)) for key, text in pairs]
    return pairs


def _escaped(name: str) -> str:
    """Escape the first letter; a JSON parser reads the same name."""
    return f"\\u{ord(name[0]):04x}{name[1:]}" if name.isidentifier() else name


def dump(pairs: Pairs, space: str = "") -> str:
    return "{" + f",{space}".join(f'"{key}":{space}{value}' for key, value in pairs) + "}"


def damage_bytes(rng: Random, body: bytes, other: bytes, marker: str) -> bytes:
    """Apply one to four random edits."""
    damaged = bytearray(body)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, length = rng.randrange(len(damaged) + 1), rng.randrange(1, 20)
        draw = rng.randrange(10)
        if draw <= 1 and at < len(damaged):
            damaged[at] ^= 1 << rng.randrange(8)
        elif draw == 2:
            damaged[at:at] = rng.randbytes(rng.randrange(1, 5))
        elif draw == 3:
            damaged[at:at] = rng.choice(SNIPPETS)
        elif draw == 4:
            damaged[at:at] = rng.choice(INVALID_UTF8)
        elif draw == 5:
            del damaged[at : at + length]
        elif draw == 6:
            del damaged[at:]
        elif draw == 7:
            damaged[at:at] = damaged[at : at + length]
        elif draw == 8:
            damaged[at:] = other[rng.randrange(len(other) + 1) :]
        else:
            damaged[at:at] = marker.encode()
    return bytes(damaged)


def reencode(rng: Random, body: bytes) -> bytes:
    return body.decode(errors="replace").encode(rng.choice(OTHER_ENCODINGS), errors="replace")


def nest(rng: Random, value: str, max_bytes: int) -> str:
    """Put a value, or nothing, into many nested arrays or objects, which may stay unclosed."""
    depth = min(rng.choice(DEPTHS), max_bytes // 8)
    opening, closing = rng.choice((("[", "]"), ('{"a":', "}")))
    inside, end = rng.choice((("", ""), (value, closing * depth), ("1", closing * depth)))
    return opening * depth + inside + end
