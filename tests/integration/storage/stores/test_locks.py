"""Concurrent transactions: the second one decides on what the first one has committed."""

from __future__ import annotations

import asyncio

import pytest

from storage.errors import NotFoundError
from storage.models import Photo, PhotoCounters, User
from storage.postgres.database import Database
from storage.stores import likes, photos, relations, users
from tests.support.community import block, follow, new_user, new_users, processing_photo, ready_photo
from tests.support.locks import wait_for_blocked_transaction

pytestmark = pytest.mark.engines


async def test_block_while_a_follow_is_under_way(database: Database) -> None:
    """A block during a follow waits for it and removes it."""
    ann, ben = await new_users(database, "ann", "ben")
    async with database.transaction() as tx:
        await relations.follow(tx, ben.id, ann.id)
        blocking = asyncio.create_task(block(database, ann, ben))
        await wait_for_blocked_transaction(database)
    await blocking
    assert await relations.followers(database, ann.id, before=None, limit=9) == []
    assert (await users.get(database, ann.id)).followers == 0


async def test_follow_while_a_block_is_under_way(database: Database) -> None:
    """A follow during a block waits for it and is not found."""
    ann, ben = await new_users(database, "ann", "ben")
    async with database.transaction() as tx:
        await relations.block(tx, ann.id, ben.id)
        following = asyncio.create_task(follow(database, ben, ann))
        await wait_for_blocked_transaction(database)
    with pytest.raises(NotFoundError):
        await following


async def test_likes_that_meet_have_versions_of_their_own(database: Database) -> None:
    """The second of two concurrent likes has the next version."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)

    async def like(user: User) -> PhotoCounters:
        async with database.transaction() as tx:
            return await likes.add(tx, photo_id=photo.id, user_id=user.id)

    async with database.transaction() as tx:
        first = await likes.add(tx, photo_id=photo.id, user_id=ben.id)
        second = asyncio.create_task(like(cat))
        await wait_for_blocked_transaction(database)
    assert (await second).version == first.version + 1
    assert [version for version, _ in await likes.page(database, photo.id, before=None, limit=9)] == [
        first.version + 1,
        first.version,
    ]


async def test_photo_becomes_ready_while_its_author_leaves(database: Database) -> None:
    """A worker that finishes a photo during its account's deletion neither stops that nor restores the photo."""
    ann = await new_user(database, "ann")
    photo = await processing_photo(database, ann)

    async def finish(photo: Photo) -> bool:
        async with database.transaction() as tx:
            return await photos.mark_ready(tx, photo.id, width=1, height=1, placeholder=None, exif=None)

    async with database.transaction() as tx:
        await tx.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", ann.id)
        finishing = asyncio.create_task(finish(photo))
        await wait_for_blocked_transaction(database)
        await users.remove(tx, ann.id)
    assert not await finishing


async def test_comments_and_likes_do_not_wait_for_a_leaving_reader(database: Database) -> None:
    """The deletion of an account does not block likes of its photos until it deletes the photos."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    async with database.transaction() as leaving:
        await users.remove(leaving, ben.id)
        async with database.transaction() as tx:
            assert (await likes.add(tx, photo_id=photo.id, user_id=ben.id)).likes == 1
