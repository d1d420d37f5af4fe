"""A part of the project: modules that are mutated, and the tests that have to notice it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Part:
    """Modules and the tests that cover them, as paths from the root.

    `only` selects tests like pytest's `-k`. `redis` are the engines of the tests that run on several.
    """

    name: str
    modules: Sequence[str]
    tests: Sequence[str]
    only: str = ""
    redis: Sequence[str] = ("redis",)  # scripts behave alike on all engines

    def files(self, root: Path) -> list[Path]:
        """Return the files of the modules; a name with an asterisk is a pattern."""
        return _found(root, self.modules)

    def test_paths(self, root: Path) -> list[Path]:
        """Return the files and folders of the tests."""
        return _found(root, self.tests)


def _found(root: Path, names: Sequence[str]) -> list[Path]:
    return [path for name in names for path in (sorted(root.glob(name)) if "*" in name else [root / name])]
