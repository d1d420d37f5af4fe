"""The layout of the stores: which folder of storage/stores imports which, and no cycle among them."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import TopologicalSorter

from tests.support.folder_arrows import arrows_between

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
    assert arrows_between("storage.stores", ALLOWED) == ALLOWED


def test_the_arrows_form_no_cycle() -> None:
    """A folder can be read with those that it imports alone."""
    TopologicalSorter(ALLOWED).prepare()
