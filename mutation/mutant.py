"""One mutant: a file of the tree with one small mistake in it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Replacement of the characters `start` to `end` (exclusive) of a text; `kind` names the mistake."""

    kind: str
    start: int
    end: int
    text: str

    def applied(self, source: str) -> str:
        """Return the source with the replacement."""
        return source[: self.start] + self.text + source[self.end :]


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A file's path, from the root of the tree, and its text without and with the mistake."""

    path: str
    kind: str
    original: str
    mutated: str

    def diff(self) -> str:
        """Return the mistake as a unified diff with one line of context."""
        old, new = self.original.splitlines(), self.mutated.splitlines()
        return "\n".join(difflib.unified_diff(old, new, self.path, f"{self.path} ({self.kind})", lineterm="", n=1))

    def change(self) -> tuple[str, str]:
        """Return the removed and the added lines, each joined and without indentation: the same after other edits."""
        changed = list(difflib.ndiff(self.original.splitlines(), self.mutated.splitlines()))
        removed = (line[2:].strip() for line in changed if line.startswith("- "))
        added = (line[2:].strip() for line in changed if line.startswith("+ "))
        return " ".join(removed), " ".join(added)


def mutants_of(path: str, source: str, edits: Iterator[Edit]) -> Iterator[Mutant]:
    """Yield a mutant for each edit that changes the text, each text once."""
    seen = {source}
    for edit in edits:
        mutated = edit.applied(source)
        if mutated not in seen:
            seen.add(mutated)
            yield Mutant(path=path, kind=edit.kind, original=source, mutated=mutated)
