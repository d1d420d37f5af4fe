"""Likes and comments in a real database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storage.errors import NotFoundError
from storage.models import Comment, Photo, PhotoCounters, User
from storage.postgres.database import Database
from storage.stores.accounts import account_fields, users
from storage.stores.comments import comment_deletion, comment_lists, comments
from storage.stores.photos import likes, photo_deletion, photos
from tests.support.community import block, new_user, new_users, processing_photo, ready_photo, topics
from tests.support.eventually import DEADLINE
from tests.support.locks import wait_for_blocked_transaction

pytestmark = pytest.mark.engines


class Counting:
    """A `Queryable` that counts its statements."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.statements = 0

    async def fetch(self, sql: str, *args: object) -> Any:
        """Count the statement, and return its rows."""
        self.statements += 1
        return await self._database.fetch(sql, *args)

    fetchrow = fetchval = fetch


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


async def test_a_like_concerns_one_photo(database: Database) -> None:
    """Other photos of the same owner, and so of the same shard, keep their likes and counters."""
    ann, ben, _ = await new_users(database, "ann", "ben", "cat")
    first, second = await ready_photo(database, ann), await ready_photo(database, ann)

    async def states() -> list[tuple[bool, int]]:
        found = [await likes.state(database, photo_id=photo.id, user_id=ben.id) for photo in (first, second)]
        return [(state.liked, state.likes) for state in found]

    await _like(database, second, ben)
    assert await states() == [(False, 0), (True, 1)]
    assert await likes.page(database, first.id, before=None, limit=9) == []
    await _like(database, first, ben)
    async with database.transaction() as tx:
        await likes.remove(tx, photo_id=second.id, user_id=ben.id)
    assert await states() == [(True, 1), (False, 0)]
    async with database.transaction() as tx:
        await likes.remove(tx, photo_id=first.id, user_id=ben.id)
    assert await states() == [(False, 0)] * 2
    for act in (likes.add, likes.remove):
        with pytest.raises(NotFoundError):
            async with database.transaction() as tx:
                await act(tx, photo_id=first.id + 1024, user_id=ben.id)


async def test_likes_of_a_user_are_the_newest_of_90_days(database: Database) -> None:
    """They are listed newest first, as many as asked for; older ones are left out."""
    ann, ben = await new_users(database, "ann", "ben")
    ages = {(await ready_photo(database, ann)).id: days for days in (89, 10, 91)}
    for photo_id, days in ages.items():
        async with database.transaction() as tx:
            await likes.add(tx, photo_id=photo_id, user_id=ben.id)
            sql = "UPDATE likes SET created_at = now() - make_interval(days => $2) WHERE photo_id = $1"
            await tx.execute(sql, photo_id, days)
    old, new, _ = ages
    assert [photo_id for photo_id, _ in await likes.of_user(database, ben.id)] == [new, old]
    assert [photo_id for photo_id, _ in await likes.of_user(database, ben.id, limit=1)] == [new]


async def test_an_unlike_waits_for_the_like(database: Database) -> None:
    """A like that is being committed is removed by the request that follows it."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)

    async def remove() -> PhotoCounters:
        async with database.transaction() as tx:
            return await likes.remove(tx, photo_id=photo.id, user_id=ben.id)

    async with database.transaction() as tx:
        await likes.add(tx, photo_id=photo.id, user_id=ben.id)
        removing = asyncio.create_task(remove())
        await wait_for_blocked_transaction(database)
    gone = await removing
    assert (gone.liked, gone.likes, gone.changed) == (False, 0, True)


async def test_two_likes_at_once_have_versions_of_their_own(database: Database) -> None:
    """A like that waits for another one takes its version after it, so that a page can go on below either."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    async with database.transaction() as tx:
        first = await likes.add(tx, photo_id=photo.id, user_id=ben.id)
        liking = asyncio.create_task(_like(database, photo, cat))
        await wait_for_blocked_transaction(database)
    second = await liking
    found = await likes.page(database, photo.id, before=None, limit=9)
    assert [version for version, _ in found] == [second.version, first.version]
    assert second.version > first.version


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
            await account_fields.update(tx, ann.id, private=True)
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
    """A user who may not see a photo can neither like, unlike nor comment on it, whatever they and others like."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    hidden, blocked = await processing_photo(database, ann), await ready_photo(database, ann)
    await _like(database, await ready_photo(database, ann), ben)
    await _like(database, blocked, cat)
    await block(database, ann, ben)
    for photo in (hidden, blocked):
        for act in (likes.add, likes.remove):
            with pytest.raises(NotFoundError):
                async with database.transaction() as tx:
                    await act(tx, photo_id=photo.id, user_id=ben.id)
        with pytest.raises(NotFoundError):
            await _comment(database, photo, ben)
        with pytest.raises(NotFoundError):
            await comment_lists.page(database, photo.id, viewer_id=ben.id, limit=9)


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
    counting = Counting(database)
    first = await likes.page(counting, photo.id, before=None, limit=2)
    assert [user.username for _, user in first] == ["dan", "cat"]
    assert counting.statements == 2
    rest = await likes.page(database, photo.id, before=first[-1][0], limit=2)
    assert [user.username for _, user in rest] == ["ben"]
    await block(database, likers[0], likers[1])
    seen = await likes.page(database, photo.id, before=None, limit=9, viewer_id=likers[0].id)
    assert [user.username for _, user in seen] == ["dan", "ben"]


async def test_a_page_of_likes_is_full_whatever_is_hidden(database: Database) -> None:
    """Likes of hidden users are replaced by older ones, and a page has no more than its limit."""
    ann, ben, *likers = await new_users(database, "ann", "ben", *"cdefghi")
    photo = await ready_photo(database, ann)
    for user in (ben, *likers):
        await _like(database, photo, user)
    for hidden in likers[2:]:
        await block(database, hidden, ann)

    async def names(limit: int) -> list[str]:
        page = await likes.page(database, photo.id, before=None, limit=limit, viewer_id=ann.id)
        return [user.username for _, user in page]

    assert [await names(limit) for limit in (1, 2, 3, 9)] == [["d"], ["d", "c"], ["d", "c", "ben"], ["d", "c", "ben"]]


async def test_state_of_a_deleted_photo(database: Database) -> None:
    """A deleted photo has no state, and its likes stay as they are; the state of another photo is not a change."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    await _like(database, photo, ben)
    assert not (await likes.state(database, photo_id=photo.id, user_id=ben.id)).changed
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=ann.id)
    with pytest.raises(NotFoundError):
        await likes.state(database, photo_id=photo.id, user_id=ben.id)
    with pytest.raises(NotFoundError):
        async with database.transaction() as tx:
            await likes.remove(tx, photo_id=photo.id, user_id=ben.id)


async def test_comment_and_delete(database: Database) -> None:
    """A comment counts until its author or the photo's owner deletes it; no other user can."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    first, second = await _comment(database, photo, ben, "one"), await _comment(database, photo, ben, "two")
    assert await comments.get(database, first.id) == first
    for stranger in (cat.id, 5):
        with pytest.raises(NotFoundError):
            async with database.transaction() as tx:
                await comment_deletion.delete(tx, first.id, user_id=stranger)
    async with database.transaction() as tx:
        assert (await comment_deletion.delete(tx, first.id, user_id=ben.id)).comments == 1
        assert (await comment_deletion.delete(tx, second.id, user_id=ann.id)).comments == 0
        with pytest.raises(NotFoundError):
            await comment_deletion.delete(tx, second.id, user_id=ann.id)
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
    page = await comment_lists.page(database, photo.id, viewer_id=ann.id, limit=2)
    assert page == [made[2], made[1]]
    last = comment_lists.Place.of(page[-1])
    assert await comment_lists.page(database, photo.id, viewer_id=None, after=last, limit=2) == [made[0]]
    await block(database, cat, ben)
    assert await comment_lists.page(database, photo.id, viewer_id=ben.id, limit=9) == [made[2], made[0]]
    assert await comment_lists.page(database, photo.id, viewer_id=cat.id, limit=9) == [made[1]]


async def test_a_page_of_comments_is_full_whatever_is_hidden(database: Database) -> None:
    """Hidden comments are replaced by older ones, at once for all of an author; a page has no more than its limit."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    seen = [await _comment(database, photo, ben), await _comment(database, photo, ann)]
    for _ in range(9):
        await _comment(database, photo, cat)
    seen = [await _comment(database, photo, ben), *reversed(seen)]
    await block(database, cat, ann)
    for limit in (1, 2, 3, 9):
        counting = Counting(database)
        assert await comment_lists.page(counting, photo.id, viewer_id=ann.id, limit=limit) == seen[:limit]
        assert counting.statements <= 4


async def test_comments_of_a_deleted_account_are_hidden_at_once(database: Database) -> None:
    """They are deleted in batches afterwards, each of which also counts down on its photo."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    shown = [await ready_photo(database, owner) for owner in (ann, cat, ann)]
    made = [await _comment(database, photo, ben) for photo in (*shown, *shown)]
    kept = await _comment(database, shown[0], ann)
    async with database.transaction() as tx:
        await users.remove(tx, ben.id)
    assert await comment_lists.page(database, shown[0].id, viewer_id=None, limit=9) == [kept]
    assert await comment_lists.page(database, shown[1].id, viewer_id=ann.id, limit=9) == []
    for comment in made:
        with pytest.raises(NotFoundError):
            await comments.get(database, comment.id)
    deleted: list[tuple[int, int, int]] = []
    async with database.transaction() as tx:
        while batch := await comment_deletion.delete_some(tx, author_id=ben.id, limit=4):
            deleted += batch
            assert len(batch) <= 4
    owners = {photo.id: photo.author.id for photo in shown}
    assert sorted(deleted) == sorted((comment.id, comment.photo_id, owners[comment.photo_id]) for comment in made)
    counts = await photos.load(database, list(owners))
    assert [counts[photo.id].comments for photo in shown] == [1, 0, 0]


async def test_comments_below_one_owner_s_photos_are_deleted(database: Database) -> None:
    """With an owner, the comments of the author below other users' photos are left."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    first, second = await ready_photo(database, ann), await ready_photo(database, cat)
    withdrawn, kept = await _comment(database, first, ben), await _comment(database, second, ben)
    other = await _comment(database, first, cat)
    async with database.transaction() as tx:
        deleted = await comment_deletion.delete_some(tx, author_id=ben.id, limit=9, owner_id=ann.id)
    assert deleted == [(withdrawn.id, first.id, ann.id)]
    assert await comment_lists.page(database, first.id, viewer_id=None, limit=9) == [other]
    assert await comments.get(database, kept.id) == kept


async def test_a_new_name_reaches_the_comments_on_all_shards(database: Database) -> None:
    """The copies in an author's comments are renewed in batches, newest first, whosever photos they are below."""
    owners = await new_users(database, *"abcde")
    ben = await new_user(database, "ben")
    made = [await _comment(database, await ready_photo(database, owner), ben) for owner in owners]
    other = await _comment(database, await ready_photo(database, ben), owners[0])
    async with database.transaction() as tx:
        await tx.execute("UPDATE users SET display_name = 'Benjamin' WHERE id = $1", ben.id)
    below, batches = None, 0
    while below is not None or not batches:
        async with database.transaction() as tx:
            below = await comments.rename_author(tx, ben.id, below=below, limit=2)
        batches += 1
        newest = sorted((comment.id for comment in made), reverse=True)[: 2 * batches]
        names = {comment.id: (await comments.get(database, comment.id)).author.display_name for comment in made}
        assert {each for each, name in names.items() if name == "Benjamin"} == set(newest)
    assert batches == 3
    assert await comments.get(database, other.id) == other


async def test_a_comment_waits_for_no_other_lock_of_its_author(database: Database) -> None:
    """Two comments of one author on two photos are written at the same time."""
    ann, ben = await new_users(database, "ann", "ben")
    first, second = await ready_photo(database, ann), await ready_photo(database, ann)
    async with database.transaction() as writing:
        await comments.add(writing, photo_id=first.id, author_id=ben.id, text="one")
        async with asyncio.timeout(DEADLINE):
            await _comment(database, second, ben, "two")


async def test_deleted_accounts_do_not_comment(database: Database) -> None:
    """A request of a deleted account is not found."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    async with database.transaction() as tx:
        await users.remove(tx, ben.id)
    with pytest.raises(NotFoundError):
        await _comment(database, photo, ben)
