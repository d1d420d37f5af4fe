"""Which modules have to be imported again after one has changed."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

FOLDERS = ("storage", "channels", "workers", "server", "tests/support", "tests/engines", "tests/browser")
# Run as a program of its own: it replaces the sockets and threads of the process that imports it.
_PROGRAMS = ("tests/engines/openstack_server.py",)


def modules_of(root: Path) -> Mapping[str, Path]:
    """Return the modules that trials share, by name: the product's and the tests' helpers."""
    paths = (path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py")))
    return {
        module_name(path.relative_to(root)): path
        for path in paths
        if not path.name.startswith(("test_", "conftest", "__main"))
        and path.relative_to(root).as_posix() not in _PROGRAMS
    }


def importers_of(modules: Mapping[str, Path]) -> Mapping[str, set[str]]:
    """Return for each imported name the modules that import it."""
    importers: dict[str, set[str]] = {}
    for name, path in modules.items():
        for imported in _imports(path):
            importers.setdefault(imported, set()).add(name)
    return importers


def dependents(importers: Mapping[str, set[str]], changed: str) -> Sequence[str]:
    """Return a module and those that import it, directly or through others."""
    found, pending = {changed}, [changed]
    while pending:
        new = importers.get(pending.pop(), set()) - found
        found |= new
        pending += new
    return sorted(found)


def module_name(path: Path) -> str:
    """Return the name of a module, given its path from the root."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _imports(path: Path) -> Iterator[str]:
    """Yield the names that a file imports; a name may be that of something within a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
