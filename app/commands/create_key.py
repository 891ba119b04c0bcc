"""`create-key`: print a new API key and its line for the keys file."""

import argparse
import sys

from app.access.api_keys import key_line, new_key


def run(options: argparse.Namespace) -> int:
    """Print the keys-file line on standard output and the key on standard error.

    The line holds only a hash, so the key itself is never stored.
    """
    key = new_key()
    print(key_line(options.name, key))
    print(key, file=sys.stderr)
    return 0
