"""The direction of imports: each package imports only those below it, and no modules in a cycle."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import pytest

from tests.support.servers import PROJECT

BELOW_ACCESS = "app models app.http app.inference app.observability"
BELOW_API = f"{BELOW_ACCESS} app.access app.state"

MAY_IMPORT = {
    "models": "",
    "training": "models",
    "app": "",  # only app/__init__.py, which has the version
    "app.http": "app",
    "app.inference": "app models app.http",
    "app.observability": "app models app.http app.inference",
    "app.access": BELOW_ACCESS,
    "app.state": f"{BELOW_ACCESS} app.access",
    "app.api": BELOW_API,
    "app.server": BELOW_API,
    "app.cluster": "app models app.http app.inference",
    "app.main": f"{BELOW_API} app.api",
    "app.commands": f"{BELOW_API} app.main app.cluster",
    "app.__main__": f"{BELOW_API} app.main app.cluster app.commands",
}
"""The packages and top-level modules that each of them may import, apart from itself."""

EXCEPTIONS = {("app.commands.serve", "app.server")}
"""A module, and a package that it may import in addition."""

WEB_FRAMEWORKS = {"fastapi", "starlette", "uvicorn"}


class Import(NamedTuple):
    importer: str  # a module of this project
    imported: str  # a module of this project or of a library
    line: int
    for_types_only: bool  # in `if TYPE_CHECKING:`


@cache
def modules():
    """The path of each module of the project, by its name."""
    found = {}
    for package in ("app", "models", "training"):
        for path in sorted((PROJECT / package).rglob("*.py")):
            parts = path.relative_to(PROJECT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports():
    return [each for name, path in modules().items() for each in imports_of(name, path.read_text())]


def imports_of(importer: str, source: str) -> Iterator[Import]:
    tree = ast.parse(source)
    typed = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{importer} line {node.lineno}: a relative import"
            names = [submodule(node.module, alias.name) for alias in node.names]
        else:
            continue
        for name in names:
            yield Import(importer, name, node.lineno, node in typed)


def submodule(module: str, name: str) -> str:
    """What `from module import name` imports: a module of that name, or else the first module."""
    return f"{module}.{name}" if f"{module}.{name}" in modules() else module


def package(module: str) -> str:
    """The key of MAY_IMPORT that a module belongs to."""
    *_, found = (key for key in MAY_IMPORT if f"{module}.".startswith(f"{key}."))
    return found


def own_imports() -> list[Import]:
    return [each for each in imports() if each.imported in modules()]


def test_every_package_imports_only_packages_below_it():
    wrong = {
        f"{each.importer} line {each.line} imports {each.imported}"
        for each in own_imports()
        for below in [package(each.imported)]
        if below != package(each.importer)
        and below not in MAY_IMPORT[package(each.importer)].split()
        and (each.importer, below) not in EXCEPTIONS
    }

    assert wrong == set()


def test_no_modules_import_each_other_in_a_cycle():
    graph = {name: set() for name in modules()}
    for each in own_imports():
        if not each.for_types_only:
            graph[each.importer].add(each.imported)

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_inference_does_not_import_a_web_framework():
    """Neither directly nor through the modules that it imports."""
    paths = {name: [name] for name in modules() if package(name) == "app.inference"}
    waiting = [*paths]
    while waiting:
        importer = waiting.pop()
        for each in imports():
            if each.importer == importer:
                assert each.imported.split(".")[0] not in WEB_FRAMEWORKS, paths[importer]
                if each.imported in modules() and each.imported not in paths:
                    paths[each.imported] = [*paths[importer], each.imported]
                    waiting.append(each.imported)


def test_every_module_is_imported_or_run():
    """Each module is imported by another one, or run as `python -m`."""
    used = {each.imported for each in own_imports()}
    used |= {name.rpartition(".")[0] for name in used}

    assert {name for name in modules() if name not in used and "__main__" not in name} <= {
        "training.block_groups",
        "training.retrain",
    }
