"""What the doctor says about a primary and its standbys, and about connections."""

from __future__ import annotations

import pytest

from server.administration.replication_check import (
    PrimarySettings,
    judge_connections,
    judge_replication,
    two_primaries,
)

TRIO = PrimarySettings(names="ANY 1 (db_1, db_2, db_3)", standbys=2, synchronous=2, servers=3)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (TRIO, ""),
        (PrimarySettings(), ""),
        (PrimarySettings(fsync=False), "fsync is off"),
        (PrimarySettings(synchronous_commit="off"), "synchronous_commit is off"),
        (PrimarySettings(servers=2), "do not wait for a standby"),
        (PrimarySettings(standbys=1, synchronous=0), "do not wait for a standby"),
        (PrimarySettings(synchronous_commit="local", names="a, b", standbys=2, synchronous=2), "do not wait"),
        (PrimarySettings(names="a", standbys=1, synchronous=1), "Writes wait when"),
        (PrimarySettings(names="FIRST 2 (a, b)", standbys=2, synchronous=2), "Writes wait when"),
        (PrimarySettings(names="*", standbys=2, synchronous=2), ""),
        (PrimarySettings(names="2 (a, b)", standbys=1, synchronous=None), ""),
    ],
    ids=str,
)
def test_what_a_lost_server_costs(found: PrimarySettings, expected: str) -> None:
    """A warning names it; a role that may not see the standbys gets none about them."""
    finding = judge_replication(found)
    assert finding.ok
    assert expected in finding.warning
    assert bool(finding.warning) == bool(expected)


def test_writes_that_wait_are_a_problem() -> None:
    """Fewer standbys are connected than each commit waits for."""
    finding = judge_replication(PrimarySettings(names="ANY 1 (a, b)", standbys=0, synchronous=0))
    assert "until then writes wait" in finding.remedy


def test_several_primaries_are_a_problem() -> None:
    """Each is named with its timeline."""
    finding = two_primaries(["a:1 (timeline 1)", "b:1 (timeline 2)"])
    assert (finding.ok, "a:1 (timeline 1), b:1 (timeline 2)" in finding.detail) == (False, True)


@pytest.mark.parametrize(
    ("used", "each", "remedy", "warning"),
    [(10, 17, False, False), (80, 17, False, True), (10, 101, True, False), (10, None, False, False)],
)
def test_connections(used: int, each: int | None, remedy: bool, warning: bool) -> None:
    """Too few for one process are a problem, and few that are left a warning; behind a pooler processes have none."""
    finding = judge_connections(allowed=100, used=used, each=each)
    assert (not finding.ok, bool(finding.warning)) == (remedy, warning)
    assert ("processes" in finding.detail) == (each is not None)
