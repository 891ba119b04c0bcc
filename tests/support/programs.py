"""Other programs that the tests run: a browser, a proxy, curl."""

import os
import shutil

import pytest


def find_program(*names: str, package: str) -> str:
    """The path of the first program that is installed; in CI a missing one is a failure."""
    for name in names:
        if path := shutil.which(name):
            return path
    sentence = f"{names[0]} must be installed (apt-get install {package}), however it is missing"
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)
