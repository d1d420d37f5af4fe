"""Which subscriptions end with a follow, and that a block's last state is the one that is sent."""

from __future__ import annotations

from typing import Any, cast

import pytest

from channels.bus.publisher import LivePublisher
from storage.postgres.database import Queryable
from workers.jobs.live.permissions import LivePermissions
from workers.jobs.live.publications import PHOTO_TOPICS, presence_topic

VIEWER, OWNER = 1, 2


class _Database:
    """A database that has the given answers, in turn."""

    def __init__(self, *answers: Any) -> None:
        self._answers = iter(answers)

    async def fetchrow(self, _sql: str, *_args: object) -> Any:
        """Return the next answer."""
        return next(self._answers)

    async def fetchval(self, _sql: str, *_args: object) -> Any:
        """Return the next answer."""
        return next(self._answers)


class _Publisher:
    """A publisher that keeps its orders."""

    def __init__(self) -> None:
        self.revoked: list[str | None] = []
        self.rechecked: list[str] = []
        self.separated: list[bool] = []

    async def revoke(self, user_id: int, *, owner_id: int, topic: str | None = None) -> None:
        """Keep the topic, None for all of the owner's."""
        assert (user_id, owner_id) == (VIEWER, OWNER)
        self.revoked.append(topic)

    async def recheck(self, viewer_id: int, *, owner_id: int, prefix: str) -> None:
        """Keep the beginning of the topics."""
        assert (viewer_id, owner_id) == (VIEWER, OWNER)
        self.rechecked.append(prefix)

    async def separate(self, one_id: int, other_id: int, *, blocked: bool) -> None:
        """Keep the state."""
        assert (one_id, other_id) == (VIEWER, OWNER)
        self.separated.append(blocked)


def permissions(publisher: _Publisher, *answers: Any) -> LivePermissions:
    """Return the orders to a publisher, by what a database has."""
    return LivePermissions(cast(Queryable, _Database(*answers)), cast(LivePublisher, publisher))


@pytest.mark.parametrize(
    ("photos", "presence", "revoked", "rechecked"),
    [
        (False, False, [None], []),
        (True, False, [presence_topic(OWNER)], [PHOTO_TOPICS]),
        (True, True, [], [PHOTO_TOPICS]),
    ],
)
async def test_a_follow_that_ends_revokes_what_it_allowed(
    photos: bool, presence: bool, revoked: list[str | None], rechecked: list[str]
) -> None:
    """Of a public account the presence, unless it is followed again meanwhile; single photos are checked again."""
    publisher = _Publisher()
    await permissions(publisher, {"photos": photos, "presence": presence}).follow_ended(VIEWER, OWNER)
    assert (publisher.revoked, publisher.rechecked) == (revoked, rechecked)


async def test_a_block_that_changes_meanwhile_is_sent_again() -> None:
    """After each order the block is read again, until it is as it was sent."""
    publisher = _Publisher()
    await permissions(publisher, True, False, True, True).block_changed(VIEWER, OWNER)
    assert publisher.separated == [True, False, True]
