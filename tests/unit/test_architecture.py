"""The layout's one rule, read from the imports: arrows between the packages run one way."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOWED = {
    "storage": {"storage"},
    "channels": {"channels"},
    "workers": {"workers", "storage", "channels"},
    "server": {"server", "workers", "storage", "channels"},
}
FILES = [path for package in ALLOWED for path in sorted((ROOT / package).rglob("*.py"))]
OURS = {*ALLOWED, "tests", "bench"}


class _Imports(ast.NodeVisitor):
    """Collect (module, whether under TYPE_CHECKING) of every import in a file, wherever it stands."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._checking = 0
        self.found: list[tuple[str, bool]] = []

    def visit_Import(self, node: ast.Import) -> None:
        """Collect `import a.b`."""
        self.found += [(alias.name, self._checking > 0) for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Collect `from a.b import c`; a relative import is one of the own package."""
        self.found.append((self._package if node.level else node.module or "", self._checking > 0))

    def visit_Call(self, node: ast.Call) -> None:
        """Collect `import_module("a.b")` and `__import__("a.b")`."""
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in {"import_module", "__import__"} and node.args and isinstance(node.args[0], ast.Constant):
            self.found.append((str(node.args[0].value), self._checking > 0))
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        """Mark what stands under `if TYPE_CHECKING`."""
        checking = "TYPE_CHECKING" in ast.unparse(node.test)
        self._checking += checking
        self.generic_visit(node)
        self._checking -= checking


def imports_of(source: str, package: str) -> Iterator[tuple[str, bool]]:
    """Yield (top-level package, whether under TYPE_CHECKING) of a source's imports."""
    visitor = _Imports(package)
    visitor.visit(ast.parse(source))
    for module, checking in visitor.found:
        yield module.partition(".")[0], checking


def faults_of(source: str, package: str) -> list[str]:
    """Return what a file of `package` imports against the rule."""
    faults = []
    for top, checking in imports_of(source, package):
        if top in OURS and top not in ALLOWED[package]:
            faults.append(f"{package} imports {top}")
        elif top in OURS and top != package and checking:
            faults.append(f"{package} imports {top} for type checking alone")
    return faults


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_arrows(path: Path) -> None:
    """No package imports one that stands above it, not even for types or within a function."""
    package = path.relative_to(ROOT).parts[0]
    assert faults_of(path.read_text(), package) == []


@pytest.mark.parametrize(
    ("package", "source", "fault"),
    [
        ("storage", "import channels.hub.hub", "storage imports channels"),
        ("channels", "from storage.models import User", "channels imports storage"),
        ("workers", "def f():\n    from server import app", "workers imports server"),
        (
            "storage",
            "import importlib\nimportlib.import_module('server.composition.application')",
            "storage imports server",
        ),
        (
            "workers",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from storage import ids",
            "workers imports storage for type checking alone",
        ),
        ("server", "import tests.conftest", "server imports tests"),
    ],
)
def test_a_wrong_arrow_is_seen(package: str, source: str, fault: str) -> None:
    """The rule finds each way of breaking it."""
    assert faults_of(source, package) == [fault]


def test_right_arrows_pass() -> None:
    """What the layout allows is not a fault."""
    assert faults_of("import storage.ids\nfrom . import broker\nfrom channels import hub\nimport json", "workers") == []


def test_models_use_the_standard_library_alone() -> None:
    """The domain types import nothing that has to be installed, and nothing of ours."""
    source = (ROOT / "storage" / "models.py").read_text()
    foreign = {top for top, _ in imports_of(source, "storage")} - set(sys.stdlib_module_names) - {"__future__"}
    assert foreign == set()


def test_no_module_bears_a_standard_name() -> None:
    """No file or folder of ours hides a module of the standard library from a reader."""
    names = {part for path in FILES for part in (path.stem, path.parent.name)} - {"__init__"}
    assert names & set(sys.stdlib_module_names) == set()


def test_packages_are_there() -> None:
    """The four packages have files to be read, so that a renamed folder does not pass unread."""
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(ALLOWED)
