"""API keys: a file with the name and the hash of each, and the creation of new ones.

A key is 256 random bits, so its hash needs neither a salt nor a slow function: those protect
passwords, which can be guessed. One SHA-256 costs a request about a microsecond.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from app.access.policy import KEY_NAME

RANDOM_BYTES = 32
PREFIX = "housing_"  # lets secret scanners find leaked keys

LINE = re.compile(rf"({KEY_NAME.pattern}):([0-9A-Fa-f]{{64}})")


class KeysFileError(Exception):
    """The API keys file cannot be read or has an invalid line."""


@dataclass(frozen=True, slots=True)
class APIKeys:
    """The name of each key by the key's SHA-256; a reload makes a new object."""

    name_by_digest: dict[bytes, str]

    def name_of(self, key: bytes) -> str | None:
        """Return the name of a key, or None if the key is unknown.

        The time that this takes reveals nothing about a key: the dictionary compares SHA-256
        digests, which a client cannot choose to match in part.
        """
        return self.name_by_digest.get(hashlib.sha256(key).digest())


def new_key() -> str:
    """Return a new random key."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def key_line(name: str, key: str) -> str:
    """Return the line of the API keys file for a key."""
    return f"{name}:{hashlib.sha256(key.encode()).hexdigest()}"


def read_keys(file: Path) -> APIKeys:
    """Read a file of NAME:SHA256 lines; blank lines and lines that begin with # are skipped.

    Several keys may share a name, so that a key can be rotated. Raises KeysFileError.
    """
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise KeysFileError(f"{file} must be a readable API keys file: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise KeysFileError(f"{file} must be UTF-8 text, got other bytes") from error
    name_by_digest = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if match is None:  # the message does not repeat the line, which may hold a key
            raise KeysFileError(
                f"{file}, line {number} must be NAME:SHA256 with 64 hex digits, got something "
                "else. Create lines with `python -m app create-key NAME`"
            )
        name_by_digest[bytes.fromhex(match[2])] = match[1]
    return APIKeys(name_by_digest)
