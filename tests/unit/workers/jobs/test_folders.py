"""The layout of the jobs: which folder of workers/jobs imports which, and no cycle among them."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import TopologicalSorter

from tests.support.folder_arrows import arrows_between

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
    assert arrows_between("workers.jobs", ALLOWED) == ALLOWED


def test_the_arrows_form_no_cycle() -> None:
    """A folder can be read with those that it imports alone."""
    TopologicalSorter(ALLOWED).prepare()
