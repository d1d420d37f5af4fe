"""The survivors that were examined and accepted, each with its reason (`accepted.toml`)."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mutation.mutant import Mutant

FILE = Path(__file__).with_name("accepted.toml")


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A change (the lines before and after it, without indentation) that no test has to notice, and the reason.

    Without `after` it is any change of these lines.
    """

    path: str
    before: str
    after: str | None = None
    reason: str

    def covers(self, mutant: Mutant) -> bool:
        """Return whether a mutant makes this change."""
        before, after = mutant.change()
        return (self.path, self.before) == (mutant.path, before) and self.after in {None, after}


def read_accepted(file: Path = FILE) -> Sequence[Accepted]:
    """Return the entries of a list; each array of tables is named by the reason's short name and a path."""
    entries = tomllib.loads(file.read_text()).get("accepted", [])
    return [Accepted(**entry) for entry in entries]
