"""Every statement in the source of the product runs on a cluster, and most of them are sent to one server."""

from __future__ import annotations

from tests.support import source_marks
from tests.support.shard_rules import faults
from tests.support.source_statements import source_statements


def test_the_statements_in_the_source_keep_the_rules() -> None:
    """Each text that can be evaluated without running the product; the others are checked when a test sends them."""
    statements = source_statements()
    found = {f"{each.path}:{each.line}": wrong for each in statements if (wrong := faults(each.sql))}
    assert found == {}
    assert len(statements) > 150


def test_what_asks_all_shards_is_listed() -> None:
    """A statement of all shards costs all servers of a cluster time, so that none is added without being noticed."""
    marks = source_marks.in_the_source()
    assert marks == source_marks.committed(), f"{source_marks.LIST} should be:\n{source_marks.as_toml(marks)}"
    assert source_marks.stray_marks() == []
