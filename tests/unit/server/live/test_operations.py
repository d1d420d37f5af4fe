"""Remote procedure calls while the disk is full, and the position of what they write."""

from __future__ import annotations

from typing import Any, cast

import pytest

from channels.contract.errors import LiveUnavailableError
from channels.contract.ports import Identity
from server.actions.notifications import NotificationActions
from server.actions.reactions import ReactionActions
from server.identity.rate_limiter import RateLimiter
from server.live.operations import LiveOperations
from storage import ids
from storage.errors import FullError
from storage.models import PhotoCounters
from storage.notifications import NotificationCounters
from tests.support.recorded_reads import RecordedReads

COUNTERS = PhotoCounters(photo_id=1, liked=True, likes=1, comments=0, version=1, changed=True)
VIEWER = Identity(user_id=1, session="s", expires_at=0.0)


class Unlimited:
    """A rate limiter without limits."""

    async def check_user(self, *_: object) -> None:
        """Accept."""


class Reactions:
    """Reactions that record what was called."""

    def __init__(self) -> None:
        self.called: list[str] = []

    async def like(self, *_: object) -> PhotoCounters:
        """Record a like."""
        self.called.append("like")
        return COUNTERS

    async def unlike(self, *_: object) -> PhotoCounters:
        """Record the removal of a like."""
        self.called.append("unlike")
        return COUNTERS


class Notifications:
    """An empty inbox."""

    async def mark(self, *_: object) -> None:
        """Mark nothing."""

    async def counters(self, *_: object) -> NotificationCounters:
        """Return no counters."""
        return NotificationCounters(unseen=0, unread=0)


async def test_on_a_full_disk_a_like_is_refused_and_can_be_removed() -> None:
    """The error is temporary, so that the client tries again."""

    def require_space() -> None:
        raise FullError("disk", "full")

    reactions = Reactions()
    operations = LiveOperations(
        cast(ReactionActions, reactions),
        cast(NotificationActions, None),
        cast(RateLimiter, Unlimited()),
        RecordedReads(),
        require_space=require_space,
    )
    photo: dict[str, Any] = {"photo_id": ids.encode(1)}
    with pytest.raises(LiveUnavailableError):
        await operations.call(VIEWER, "like", photo)
    await operations.call(VIEWER, "unlike", photo)
    assert reactions.called == ["unlike"]


@pytest.mark.parametrize("method", ["like", "unlike", "seen", "read"])
async def test_the_position_of_a_write_is_kept(method: str) -> None:
    """Every operation that changes something lets the viewer's reads see it, as over HTTP."""
    reads = RecordedReads()
    operations = LiveOperations(
        cast(ReactionActions, Reactions()),
        cast(NotificationActions, Notifications()),
        cast(RateLimiter, Unlimited()),
        reads,
        require_space=lambda: None,
    )
    await operations.call(VIEWER, "counters", {})
    assert reads.kept == []
    await operations.call(VIEWER, method, {"photo_id": ids.encode(1)} if "like" in method else {})
    assert reads.kept == [VIEWER.user_id]
