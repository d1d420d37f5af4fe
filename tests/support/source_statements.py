"""The statements in the source of the product, as far as they are known without running it."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.support.documents import ROOT

PACKAGES = ("storage", "workers", "channels", "server")
_METHODS = {"fetch": 0, "fetchrow": 0, "fetchval": 0, "execute": 0, "executemany": 0, "insert": 1}
_SQL = ("select", "insert", "update", "delete", "with", "/*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """A text that is passed to the database, and its place."""

    path: str
    line: int
    sql: str


def source_statements() -> list[Statement]:
    """Return each text that can be evaluated by the names of its module, with the module's constants."""
    return [statement for path in product_files() for statement in _statements_of(path)]


def product_files() -> list[Path]:
    """Return the modules of the product."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def _statements_of(path: Path) -> Iterator[Statement]:
    tree = ast.parse(path.read_text())
    texts = list(_texts(tree))
    if not texts:
        return
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    for text in texts:
        sql = _evaluated(text, module)
        if sql is not None and sql.lstrip().lower().startswith(_SQL):
            yield Statement(path=str(path.relative_to(ROOT)), line=text.lineno, sql=sql)


def _texts(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield the expressions of the statements in calls of the database's methods."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            place = _METHODS[node.func.attr]
            if len(node.args) > place:
                yield node.args[place]


def _evaluated(text: ast.expr, module: ModuleType) -> str | None:
    """Return the value of an expression of the module's names, or None if it has others."""
    names: dict[str, Any] = vars(module)
    try:
        value = eval(compile(ast.Expression(text), "", "eval"), names)  # noqa: S307  # our own source
    except (NameError, AttributeError, TypeError):
        return None  # a parameter or a variable of the function
    return value if isinstance(value, str) else None
