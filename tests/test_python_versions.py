"""One list of supported Python versions: the classifiers in pyproject.toml."""

import os
import re
import subprocess
import sys
import tomllib

import pytest

from tests.support.servers import PROJECT

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
VERSIONS = [
    classifier.rpartition(" ")[2]
    for classifier in PYPROJECT["project"]["classifiers"]
    if classifier.startswith("Programming Language :: Python :: 3.")
]
MINORS = [int(version.removeprefix("3.")) for version in VERSIONS]
LISTED = ", ".join(VERSIONS)


def make(*arguments):
    return subprocess.run(
        ["make", "--silent", "--no-print-directory", *arguments],
        cwd=PROJECT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_every_setting_agrees_with_the_classifiers():
    image = re.search(r"^ARG PYTHON_IMAGE=python:([\d.]+)", (PROJECT / "Dockerfile").read_text())

    assert [*range(MINORS[0], MINORS[-1] + 1)] == MINORS
    assert PYPROJECT["project"]["requires-python"] == f">=3.{MINORS[0]},<3.{MINORS[-1] + 1}"
    assert PYPROJECT["tool"]["ruff"]["target-version"] == f"py3{MINORS[0]}"
    assert image[1] in VERSIONS
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in VERSIONS


@pytest.mark.parametrize("path", ["Makefile", ".ci/run"])
def test_make_and_continuous_integration_name_no_version_themselves(path):
    lines = [line.partition("#")[0] for line in (PROJECT / path).read_text().splitlines()]

    assert not re.search(r"\b3\.\d\d", "\n".join(lines))


def test_make_lists_interpreters_of_supported_versions_oldest_first():
    found = [line.split(" ", 1) for line in make("pythons").stdout.splitlines()]

    versions = [version for version, _ in found]
    assert versions == [version for version in VERSIONS if version in versions]
    for version, python in found:
        printed = subprocess.check_output([python, "--version"], text=True)
        assert printed.startswith(f"Python {version}.")


@pytest.mark.parametrize("version", ["3.10.13", "3.15.0"])
def test_make_rejects_an_unsupported_python_with_a_one_line_error(tmp_path, version):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo Python {version}\n')
    python.chmod(0o755)

    result = make(f"PYTHON={python}", f"VENV={tmp_path}/venv", f"{tmp_path}/venv/bin/python")

    sentence, *_ = result.stderr.splitlines()
    assert sentence == (
        f"Python must be one of {LISTED} with the module venv, got Python {version}; "
        "name one with PYTHON=/path/to/python."
    )
    assert result.returncode == 2
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("python", ["/bin/false", "/nowhere/python3"])
def test_make_does_not_use_an_environment_of_another_python_than_the_one_asked_for(
    tmp_path, python
):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(sys.executable)

    result = make("test", f"PYTHON={python}", f"VENV={tmp_path}")

    assert result.returncode == 2
    assert f"{tmp_path} has another Python version than {python}." in result.stderr
