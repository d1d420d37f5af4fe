"""The layout of the stores: which folder of storage/stores imports which, and no cycle among them."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path

from tests.unit.test_architecture import imports_of

STORES = Path(__file__).parents[4] / "storage/stores"

# folder -> what its modules may import; "" is what is beside the folders. An arrow that no import uses any more fails
# the test, so that the list stays true.
ALLOWED: Mapping[str, frozenset[str]] = {
    "": frozenset(),
    "credentials": frozenset(),
    "discovery": frozenset(),
    "webhooks": frozenset({""}),
    "social": frozenset({"", "discovery"}),
    "photos": frozenset({"", "discovery", "social"}),
    "saved": frozenset({"", "photos"}),
    "comments": frozenset({"", "photos", "social"}),
    "moderation": frozenset({"", "photos"}),
    "notifications": frozenset({"", "comments", "moderation", "social", "webhooks"}),
    "archives": frozenset({"", "moderation", "notifications", "photos"}),
    "accounts": frozenset({"", "archives", "comments", "credentials", "discovery", "moderation", "photos", "social"}),
    "media": frozenset({"accounts", "photos"}),
    "nested": frozenset({"", "comments", "photos", "saved"}),
}


def test_imports_follow_the_arrows() -> None:
    """Each folder imports exactly those that are listed."""
    found: dict[str, set[str]] = {folder: set() for folder in ALLOWED}
    for path in STORES.rglob("*.py"):
        folder = path.parent.relative_to(STORES).as_posix().strip(".")
        for module, _ in imports_of(path.read_text()):
            if module.startswith("storage.stores."):
                other = module.split(".")[2]
                found[folder].add(other if other in ALLOWED else "")
    assert {folder: others - {folder} for folder, others in found.items()} == ALLOWED


def test_the_arrows_form_no_cycle() -> None:
    """A folder can be read with those that it imports alone."""
    TopologicalSorter(ALLOWED).prepare()
