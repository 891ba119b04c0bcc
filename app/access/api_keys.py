"""API keys: a file that holds the name and the hash of each, and the making of a new one.

A key is 256 random bits. Whoever gets hold of the file would have to try them all: a hash that is
slow or salted makes passwords expensive to guess, and no computer guesses this. So the hash is one
SHA-256, which costs a request about a microsecond.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from app.access.policy import KEY_NAME

RANDOM_BYTES = 32
PREFIX = "housing_"  # so that a search for leaked secrets can find it

LINE = re.compile(rf"({KEY_NAME.pattern}):([0-9A-Fa-f]{{64}})")


class KeysFileError(Exception):
    """The file of keys cannot be read, or is not one."""


@dataclass(frozen=True, slots=True)
class APIKeys:
    """Whose each key is, by the key's SHA-256; never changed: a reload makes another one."""

    name_by_digest: dict[bytes, str]

    def name_of(self, key: bytes) -> str | None:
        """Whose key it is, if it is one.

        In constant time: what is looked up is a digest, under a hash that is keyed at random, so
        the time that it takes tells nothing of how much of a key was right.
        """
        return self.name_by_digest.get(hashlib.sha256(key).digest())


def new_key() -> str:
    """A key that nobody has."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def key_line(name: str, key: str) -> str:
    """What the file of keys says of a key."""
    return f"{name}:{hashlib.sha256(key.encode()).hexdigest()}"


def read_keys(file: Path) -> APIKeys:
    """The keys of a file: NAME:SHA256 a line, beside blank lines and comments that begin with #.

    One name may have several keys, while one is being replaced. Raises KeysFileError.
    """
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise KeysFileError(
            f"{file} must be a readable file of API keys, however: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise KeysFileError(f"{file} must be UTF-8, however it is not") from error
    name_by_digest = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        found = LINE.fullmatch(line)
        if found is None:  # the line is not shown: it may be a key
            raise KeysFileError(
                f"{file}, line {number} must be a name, a colon and a SHA-256 in 64 hex digits, "
                "as `python -m app create-key NAME` prints it, however it is not"
            )
        name_by_digest[bytes.fromhex(found[2])] = found[1]
    return APIKeys(name_by_digest)
