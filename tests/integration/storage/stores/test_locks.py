"""Concurrent transactions: the second one decides on what the first one has committed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from storage.errors import NotFoundError
from storage.models import Photo, PhotoCounters, User
from storage.postgres.database import Database, Transaction
from storage.stores.accounts import account_fields, users
from storage.stores.comments import comment_deletion, comments
from storage.stores.photos import likes, photo_deletion, photo_edits, photo_processing, photos
from storage.stores.social import blocks, follows, relations
from tests.support.community import block, follow, new_user, new_users, processing_photo, ready_photo, topics
from tests.support.locks import wait_for_blocked_transaction

pytestmark = pytest.mark.engines

Change = Callable[[Transaction, int, int], Awaitable[object]]


async def test_block_while_a_follow_is_under_way(database: Database) -> None:
    """A block during a follow waits for it and removes it."""
    ann, ben = await new_users(database, "ann", "ben")
    async with database.transaction() as tx:
        await follows.follow(tx, ben.id, ann.id)
        blocking = asyncio.create_task(block(database, ann, ben))
        await wait_for_blocked_transaction(database)
    await blocking
    assert await relations.followers(database, ann.id, before=None, limit=9) == []
    assert (await users.get(database, ann.id)).followers == 0


async def test_follow_while_a_block_is_under_way(database: Database) -> None:
    """A follow during a block waits for it and is not found."""
    ann, ben = await new_users(database, "ann", "ben")
    async with database.transaction() as tx:
        await blocks.block(tx, ann.id, ben.id)
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


@pytest.mark.parametrize(
    "change",
    [follows.follow, follows.unfollow, blocks.block, blocks.mute, follows.accept],
    ids=lambda change: change.__name__,
)
async def test_accounts_are_locked_in_the_order_of_their_ids(database: Database, change: Change) -> None:
    """A change of two accounts waits for the one with the smaller id and holds nothing meanwhile, so none deadlock."""
    small, great = await new_users(database, "ann", "ben")
    # A row that was updated comes last in its table; then ids and the order of the rows disagree.
    async with database.transaction() as tx:
        await account_fields.update(tx, small.id, bio="changed")

    async def change_both() -> None:
        async with database.transaction() as tx:
            await tx.execute("SET LOCAL enable_indexscan = off")
            await tx.execute("SET LOCAL enable_bitmapscan = off")
            with suppress(NotFoundError):  # there is no request to accept
                await change(tx, great.id, small.id)

    async with database.transaction() as tx:
        await tx.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", small.id)
        changing = asyncio.create_task(change_both())
        await wait_for_blocked_transaction(database)
        assert await tx.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE NOWAIT", great.id) == 1
    await changing


async def test_comment_deleted_while_its_photo_is(database: Database) -> None:
    """A deletion of a comment waits for that of its photo with no lock of its own, and then finds nothing."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    async with database.transaction() as tx:
        comment, _ = await comments.add(tx, photo_id=photo.id, author_id=ben.id, text="nice")

    async def delete_comment() -> None:
        async with database.transaction() as tx:
            await comment_deletion.delete(tx, comment.id, user_id=ben.id)

    async with database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=ann.id)
        deleting = asyncio.create_task(delete_comment())
        await wait_for_blocked_transaction(database)
        assert await tx.execute("SELECT FROM comments WHERE id = $1 FOR UPDATE NOWAIT", comment.id) == 1
    with pytest.raises(NotFoundError):
        await deleting
    assert (await topics(database)).count("comment.deleted") == 0


async def test_comment_deleted_twice_at_once(database: Database) -> None:
    """Of two concurrent deletions of a comment one counts, and the other finds nothing."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    async with database.transaction() as tx:
        comment, _ = await comments.add(tx, photo_id=photo.id, author_id=ben.id, text="nice")

    async def delete_comment(user: User) -> PhotoCounters:
        async with database.transaction() as tx:
            return await comment_deletion.delete(tx, comment.id, user_id=user.id)

    async with database.transaction() as tx:
        assert (await comment_deletion.delete(tx, comment.id, user_id=ben.id)).comments == 0
        second = asyncio.create_task(delete_comment(ann))
        await wait_for_blocked_transaction(database)
    with pytest.raises(NotFoundError):
        await second
    assert (await photos.get(database, photo.id, viewer_id=ann.id)).comments == 0


async def test_photo_deleted_while_tags_are_added(database: Database) -> None:
    """A deletion that waits for an edit also removes the tags that the edit adds."""
    ann = await new_user(database, "ann")
    photo = await ready_photo(database, ann, tags=["old"])

    async def delete_photo() -> None:
        async with database.transaction() as tx:
            await photo_deletion.delete(tx, photo.id, author_id=ann.id)

    async with database.transaction() as tx:
        await photo_edits.edit(tx, photo.id, author_id=ann.id, tags=["new"])
        deleting = asyncio.create_task(delete_photo())
        await wait_for_blocked_transaction(database)
    await deleting
    assert await database.fetch("SELECT tag FROM photo_tags WHERE photo_id = $1", photo.id) == []
    assert (await users.get(database, ann.id)).photos == 0


async def test_photo_becomes_ready_while_its_author_leaves(database: Database) -> None:
    """A worker that finishes a photo during its account's deletion neither stops that nor restores the photo."""
    ann = await new_user(database, "ann")
    photo = await processing_photo(database, ann)

    async def finish(photo: Photo) -> bool:
        async with database.transaction() as tx:
            return await photo_processing.mark_ready(tx, photo.id, width=1, height=1, placeholder=None, exif=None)

    async with database.transaction() as tx:
        await tx.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", ann.id)
        finishing = asyncio.create_task(finish(photo))
        await wait_for_blocked_transaction(database)
        await users.remove(tx, ann.id)
    assert not await finishing
