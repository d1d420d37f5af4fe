"""The mutants of a file, by its language."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mutation.generators.expressions import expression_mutants
from mutation.generators.javascript import javascript_edits
from mutation.generators.lua import lua_edits
from mutation.generators.sql import sql_edits
from mutation.generators.statements import statement_edits
from mutation.mutant import Mutant, mutants_of


def mutants_of_file(root: Path, path: str) -> Iterator[Mutant]:
    """Yield every mutant of a file (a path from the root), each text once."""
    source = (root / path).read_text()
    match Path(path).suffix:
        case ".lua":
            yield from mutants_of(path, source, lua_edits(source))
        case ".js":
            yield from mutants_of(path, source, javascript_edits(source))
        case _:
            yield from _once(_of_python(path, source))


def _of_python(path: str, source: str) -> Iterator[Mutant]:
    yield from mutants_of(path, source, statement_edits(source))
    yield from mutants_of(path, source, sql_edits(source))
    yield from expression_mutants(path, source)


def _once(mutants: Iterator[Mutant]) -> Iterator[Mutant]:
    seen: set[str] = set()
    for mutant in mutants:
        if mutant.mutated not in seen and _compiles(mutant):
            seen.add(mutant.mutated)
            yield mutant


def _compiles(mutant: Mutant) -> bool:
    """Return whether a mutant is valid Python; a few edits of nested expressions are not."""
    try:
        compile(mutant.mutated, mutant.path, "exec")
    except SyntaxError:
        return False
    return True
