"""The result for a refresh token."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage.stores.credentials.sessions import Outcome, decide

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("used", "revoked", "seconds_left", "outcome"),
    [
        (False, False, 1, "ok"),
        (False, False, 0, "expired"),
        (True, False, 1, "reused"),
        (True, False, -1, "reused"),
        (True, True, 1, "unknown"),
        (False, True, 1, "unknown"),
    ],
)
def test_decide(used: bool, revoked: bool, seconds_left: int, outcome: Outcome) -> None:
    """A reuse is detected even after the expiry, but not in an ended session."""
    expires_at = NOW + timedelta(seconds=seconds_left)
    assert decide(used=used, revoked=revoked, expires_at=expires_at, now=NOW) == outcome


def test_decide_on_a_repeated_token() -> None:
    """A used token that may be repeated is, but not in an ended session."""
    assert decide(used=True, revoked=False, expires_at=NOW, now=NOW, repeatable=True) == "repeated"
    assert decide(used=True, revoked=True, expires_at=NOW, now=NOW, repeatable=True) == "unknown"
