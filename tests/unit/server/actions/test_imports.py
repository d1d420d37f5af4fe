"""The use cases know neither HTTP nor the live protocol, so that every interface can adapt them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ACTIONS = Path(__file__).parents[4] / "server" / "actions"
FORBIDDEN = ("aiohttp", "pydantic", "server.edge", "server.api", "server.live", "channels.protocol")


def imports_of(path: Path) -> set[str]:
    """Return the names of the modules that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    direct = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return direct | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("path", sorted(ACTIONS.glob("*.py")), ids=lambda path: path.stem)
def test_actions_import_no_interface(path: Path) -> None:
    """A module of actions imports no web framework and no package of an interface."""
    found = {name for name in imports_of(path) if name.startswith(FORBIDDEN)}
    assert found == set()
