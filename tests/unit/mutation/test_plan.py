"""The parts of the mutation tests, and the list of accepted survivors, match the tree."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from mutation.accepted import Accepted, read_accepted
from mutation.dependents import dependents, importers_of, modules_of
from mutation.mutant import Mutant
from mutation.parts.all_parts import PARTS
from mutation.parts.part import Part

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_part_names_existing_files(part: Part) -> None:
    """Each module and each test of a part exists."""
    for name in (*part.modules, *part.tests):
        assert list(ROOT.glob(name)), name


def test_every_script_and_live_module_is_mutated() -> None:
    """The parts have all Lua scripts and all modules of the browser's live client, also those added later."""
    chosen = {path for part in PARTS for path in part.files(ROOT)}
    folders = ("storage", "channels", "static/live")
    assert {
        path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in {".lua", ".js"}
    } <= chosen


def test_the_importers_of_a_module_are_found() -> None:
    """A mutated module is imported again, with those that import it directly or through others, and no others."""
    found = dependents(importers_of(modules_of(ROOT)), "server.identity.tokens")
    assert {"server.identity.tokens", "server.edge.authentication", "server.composition.application"} <= set(found)
    assert not [name for name in found if not name.startswith(("server.", "tests."))]


def test_no_shared_module_replaces_the_sockets_of_its_process() -> None:
    """The process that runs all trials imports the shared modules: none may change what the tests of others use."""
    assert [name for name, path in modules_of(ROOT).items() if "monkey_patch()" in path.read_text()] == []


def test_no_shared_module_needs_the_environment_of_a_program() -> None:
    """That process imports them without the variables that a test gives to a program."""
    files = {name: path.read_text() for name, path in modules_of(ROOT).items()}
    assert [name for name, text in files.items() if "os.environ[" in text and _reads_environment(text)] == []


def _reads_environment(text: str) -> bool:
    """Return whether a module reads a variable that may be missing when it is imported."""
    statements = [
        statement
        for statement in ast.parse(text).body
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.If)
    ]
    return any("os.environ[" in ast.unparse(statement) for statement in statements)


def test_accepted_survivors_are_still_in_the_code() -> None:
    """The list has no entry whose lines have changed, and a reason for each."""
    for entry in read_accepted():
        text = " ".join(line.strip() for line in (ROOT / entry.path).read_text().splitlines())
        assert entry.before in text
        assert entry.reason.endswith(".")


def test_an_entry_covers_its_change_alone() -> None:
    """An accepted survivor is recognised after other lines of its file have changed; another change is not."""
    entry = Accepted(path="x.lua", before="a = 1", after="a = 2", reason="It does not matter.")

    def mutant(original: str, mutated: str) -> Mutant:
        return Mutant(path="x.lua", kind="number moved", original=original, mutated=mutated)

    assert entry.covers(mutant("if b then\n  a = 1\nend\n", "if b then\n  a = 2\nend\n"))
    assert not entry.covers(mutant("a = 1\n", "a = 3\n"))
    assert not entry.covers(mutant("c = 1\n", "c = 2\n"))
    anything = Accepted(path="x.lua", before="a = 1", reason="It does not matter.")
    assert anything.covers(mutant("a = 1\n", "a = 3\n"))
    assert not anything.covers(mutant("c = 1\n", "c = 2\n"))
