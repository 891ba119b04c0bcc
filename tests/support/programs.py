"""Find the programs that the tests run: a browser, a proxy, curl."""

import os
import shutil

import pytest


def find_program(*names: str, package: str) -> str:
    """The path of the first installed program; without one, skips the test, and in CI fails it."""
    for name in names:
        if path := shutil.which(name):
            return path
    sentence = f"{names[0]} must be installed (apt-get install {package}), but it is missing"
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)
