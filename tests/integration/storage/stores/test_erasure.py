"""The erasure of deleted accounts in a real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage.postgres.database import Database
from storage.stores import comments, erasure, likes, relations, sessions, users, waiting_activities
from tests.support.community import follow, new_users, ready_photo, topics

pytestmark = pytest.mark.engines


async def _erase(database: Database, *, grace_minutes: int = 0, limit: int = 200) -> int:
    async with database.transaction() as tx:
        return await erasure.erase(tx, grace_minutes=grace_minutes, limit=limit)


async def test_erase(database: Database) -> None:
    """Likes and follows of a deleted account are erased in batches, with counters and events, until none is left."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    made = [await ready_photo(database, ann) for _ in range(3)]
    for follower, followee in ((ben, ann), (ann, ben), (ben, cat)):
        await follow(database, follower, followee)
    async with database.transaction() as tx:
        for photo in made:
            await likes.add(tx, photo_id=photo.id, user_id=ben.id)
        await relations.mute(tx, cat.id, ben.id)
        await waiting_activities.add(
            tx, operation="record", recipient_id=ben.id, kind="follow", actor_id=ann.id, photo_id=None, source_id=ann.id
        )
        await users.remove(tx, ben.id)
    assert await _erase(database, grace_minutes=1) == 0
    rounds = 0
    while await _erase(database, limit=2):
        rounds += 1
    assert rounds > 2
    fresh = await users.get(database, ann.id)
    assert (fresh.followers, fresh.following) == (0, 0)
    assert (await users.get(database, cat.id)).followers == 0
    assert [(await likes.state(database, photo_id=photo.id, user_id=ann.id)).likes for photo in made] == [0, 0, 0]
    assert (await topics(database)).count("like.removed") == 3
    assert (await topics(database))[-1] == "actor.removed"
    assert await database.fetchval("SELECT count(*) FROM mutes") == 0
    assert not await waiting_activities.waiting(database, ben.id)


async def test_what_a_deletion_has_missed_is_swept(database: Database) -> None:
    """Photos, comments and sessions that are left of a deleted account are deleted with its erasure."""
    ann, ben = await new_users(database, "ann", "ben")
    photo, own = await ready_photo(database, ann), await ready_photo(database, ben)
    async with database.transaction() as tx:
        await comments.add(tx, photo_id=photo.id, author_id=ben.id, text="nice")
        await sessions.open(tx, ben.id, token_sha256=b"1", expires_at=datetime.now(UTC) + timedelta(days=1))
        # As if all of this had been committed after the deletion, by a version that does not lock accounts.
        await tx.execute("UPDATE users SET deleted_at = now() WHERE id = $1", ben.id)
    while await _erase(database):
        pass
    assert await database.fetchval("SELECT deleted_at FROM photos WHERE id = $1", own.id) is not None
    assert await comments.page(database, photo.id, viewer_id=ann.id, before=None, limit=9) == []
    assert (await likes.state(database, photo_id=photo.id, user_id=ann.id)).comments == 0
    async with database.transaction() as tx:
        assert await sessions.revoke_all(tx, ben.id) == []
    assert (await topics(database))[-4:] == ["photo.deleted", "comment.deleted", "session.ended", "actor.removed"]


async def test_living_accounts_are_left_alone(database: Database) -> None:
    """Without a deleted account there is nothing to erase."""
    await new_users(database, "ann")
    assert await _erase(database) == 0
