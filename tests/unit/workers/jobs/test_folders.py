"""The layout of the jobs: which folder of workers/jobs imports which, and no cycle among them."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path

from tests.unit.test_architecture import imports_of

JOBS = Path(__file__).parents[4] / "workers/jobs"

# folder -> what its modules may import; "" is what is beside the folders. An arrow that no import uses any more fails
# the test, so that the list stays true.
ALLOWED: Mapping[str, frozenset[str]] = {
    "live": frozenset(),
    "": frozenset({"live"}),
    "mails": frozenset({""}),
    "caches": frozenset({""}),
    "discovery": frozenset({""}),
    "moderation": frozenset({"", "live"}),
    "feeds": frozenset({"", "live"}),
    "inbox": frozenset({"", "live"}),
    "media": frozenset({"", "moderation"}),
    "archives": frozenset({"", "inbox", "media"}),
    "deliveries": frozenset({"", "mails"}),
    "webhooks": frozenset({"", "inbox", "live", "moderation"}),
    "upkeep": frozenset({"", "discovery", "inbox", "media", "moderation"}),
    "bulk": frozenset({"", "feeds", "inbox", "media", "upkeep"}),
}


def test_imports_follow_the_arrows() -> None:
    """Each folder imports exactly those that are listed."""
    found: dict[str, set[str]] = {folder: set() for folder in ALLOWED}
    for path in JOBS.rglob("*.py"):
        folder = path.parent.relative_to(JOBS).as_posix().strip(".")
        for module, _ in imports_of(path.read_text()):
            if module.startswith("workers.jobs."):
                other = module.split(".")[2]
                found[folder].add(other if other in ALLOWED else "")
    assert {folder: others - {folder} for folder, others in found.items()} == ALLOWED


def test_the_arrows_form_no_cycle() -> None:
    """A folder can be read with those that it imports alone."""
    TopologicalSorter(ALLOWED).prepare()
