"""Likes and comments in a real database."""

from __future__ import annotations

import asyncio

import pytest

from storage.errors import NotFoundError
from storage.models import Comment, Photo, PhotoCounters, User
from storage.postgres.database import Database
from storage.stores import comments, likes, photos, users
from tests.support.community import block, new_users, processing_photo, ready_photo, topics

pytestmark = pytest.mark.engines


async def _like(database: Database, photo: Photo, user: User) -> PhotoCounters:
    async with database.transaction() as tx:
        return await likes.add(tx, photo_id=photo.id, user_id=user.id)


async def _comment(database: Database, photo: Photo, user: User, text: str = "nice") -> Comment:
    async with database.transaction() as tx:
        return (await comments.add(tx, photo_id=photo.id, author_id=user.id, text=text))[0]


async def test_like_and_unlike(database: Database) -> None:
    """A like counts once and an unlike removes it once; each change has a newer version."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    first, repeat = await _like(database, photo, ben), await _like(database, photo, ben)
    assert (first.liked, first.likes, first.changed) == (True, 1, True)
    assert (repeat.liked, repeat.likes, repeat.changed, repeat.version) == (True, 1, False, first.version)
    assert await likes.of_user(database, ben.id) == [(photo.id, first.version)]
    async with database.transaction() as tx:
        gone = await likes.remove(tx, photo_id=photo.id, user_id=ben.id)
        again = await likes.remove(tx, photo_id=photo.id, user_id=ben.id)
    assert (gone.liked, gone.likes, gone.changed, again.changed) == (False, 0, True, False)
    assert gone.version > first.version
    assert await topics(database) == ["photo.uploaded", "photo.ready", "like.added", "like.removed"]


@pytest.mark.parametrize("cause", ["blocked", "blocking", "private", "rejected"])
async def test_a_like_can_always_be_taken_back(database: Database, cause: str) -> None:
    """A user who may not see a photo any more can still remove their like, once; and cannot like it again."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    await _like(database, photo, ben)
    if cause.startswith("block"):
        await block(database, *((ann, ben) if cause == "blocked" else (ben, ann)))
    async with database.transaction() as tx:
        if cause == "private":
            await users.update(tx, ann.id, private=True)
        if cause == "rejected":
            await tx.execute("UPDATE photos SET state = 'rejected'")
        gone = await likes.remove(tx, photo_id=photo.id, user_id=ben.id)
    assert (gone.liked, gone.likes, gone.changed) == (False, 0, True)
    assert (await likes.state(database, photo_id=photo.id, user_id=ann.id)).likes == 0
    assert (await topics(database))[-1] == "like.removed"
    for act in (likes.add, likes.remove):
        with pytest.raises(NotFoundError):
            async with database.transaction() as tx:
                await act(tx, photo_id=photo.id, user_id=ben.id)


async def test_what_is_not_seen_is_not_liked(database: Database) -> None:
    """A user who may not see a photo can neither like, unlike nor comment on it."""
    ann, ben = await new_users(database, "ann", "ben")
    hidden, blocked = await processing_photo(database, ann), await ready_photo(database, ann)
    await block(database, ann, ben)
    for photo in (hidden, blocked):
        for act in (likes.add, likes.remove):
            with pytest.raises(NotFoundError):
                async with database.transaction() as tx:
                    await act(tx, photo_id=photo.id, user_id=ben.id)
        with pytest.raises(NotFoundError):
            await _comment(database, photo, ben)
        with pytest.raises(NotFoundError):
            await comments.page(database, photo.id, viewer_id=ben.id, before=None, limit=9)


async def test_many_likes_at_once(database: Database) -> None:
    """Concurrent likes are all counted, each with its own version."""
    ann, *likers = await new_users(database, *"abcdefg")
    photo = await ready_photo(database, ann)
    states = await asyncio.gather(*(_like(database, photo, user) for user in likers * 2))
    assert max(state.likes for state in states) == len(likers)
    assert len({state.version for state in states if state.changed}) == len(likers)


async def test_page_of_likes(database: Database) -> None:
    """Likes are listed newest first, page by page, without users hidden from the viewer."""
    ann, *likers = await new_users(database, "ann", "ben", "cat", "dan")
    photo = await ready_photo(database, ann)
    for user in likers:
        await _like(database, photo, user)
    first = await likes.page(database, photo.id, before=None, limit=2)
    assert [user.username for _, user in first] == ["dan", "cat"]
    rest = await likes.page(database, photo.id, before=first[-1][0], limit=2)
    assert [user.username for _, user in rest] == ["ben"]
    await block(database, likers[0], likers[1])
    seen = await likes.page(database, photo.id, before=None, limit=9, viewer_id=likers[0].id)
    assert [user.username for _, user in seen] == ["dan", "ben"]


async def test_state_of_a_deleted_photo(database: Database) -> None:
    """A deleted photo has no state."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    async with database.transaction() as tx:
        await photos.delete(tx, photo.id, author_id=ann.id)
    with pytest.raises(NotFoundError):
        await likes.state(database, photo_id=photo.id, user_id=ben.id)


async def test_comment_and_delete(database: Database) -> None:
    """A comment counts until its author or the photo's owner deletes it; no other user can."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    first, second = await _comment(database, photo, ben, "one"), await _comment(database, photo, ben, "two")
    assert await comments.get(database, first.id) == first
    for stranger in (cat.id, 5):
        with pytest.raises(NotFoundError):
            async with database.transaction() as tx:
                await comments.delete(tx, first.id, user_id=stranger)
    async with database.transaction() as tx:
        assert (await comments.delete(tx, first.id, user_id=ben.id)).comments == 1
        assert (await comments.delete(tx, second.id, user_id=ann.id)).comments == 0
        with pytest.raises(NotFoundError):
            await comments.delete(tx, second.id, user_id=ann.id)
    with pytest.raises(NotFoundError):
        await comments.get(database, first.id)
    assert (await topics(database))[2:] == ["comment.added", "comment.added", "comment.deleted", "comment.deleted"]


async def test_comment_carries_the_shard_of_the_photo(database: Database) -> None:
    """A comment's id is in the shard of the photo's owner."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    assert (await _comment(database, photo, ben)).id & 1023 == ann.id & 1023


async def test_page_of_comments(database: Database) -> None:
    """Comments are listed newest first, page by page, without authors blocked in either direction."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    made = [await _comment(database, photo, author) for author in (ben, cat, ben)]
    page = await comments.page(database, photo.id, viewer_id=ann.id, before=None, limit=2)
    assert page == [made[2], made[1]]
    assert await comments.page(database, photo.id, viewer_id=None, before=page[-1].id, limit=2) == [made[0]]
    await block(database, cat, ben)
    assert await comments.page(database, photo.id, viewer_id=ben.id, before=None, limit=9) == [made[2], made[0]]
    assert await comments.page(database, photo.id, viewer_id=cat.id, before=None, limit=9) == [made[1]]


async def test_deleted_accounts_do_not_comment(database: Database) -> None:
    """A request of a deleted account is not found."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    async with database.transaction() as tx:
        await users.remove(tx, ben.id)
    with pytest.raises(NotFoundError):
        await _comment(database, photo, ben)
