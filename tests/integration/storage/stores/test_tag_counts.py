"""Counts of tags: no change is lost between two of them, and the rows that are missing in the index are filled."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from storage.postgres.database import Database
from storage.stores.discovery import search_fill, tag_counts
from storage.stores.photos import photo_edits
from tests.support.community import new_user, new_users, ready_photo
from workers.jobs.discovery.search_index import SearchIndexer

pytestmark = pytest.mark.engines


async def counts(database: Database) -> dict[str, int]:
    """Return the stored counts."""
    return {row["tag"]: row["photos"] for row in await database.fetch("SELECT tag, photos FROM tags")}


async def test_a_change_during_a_count_is_counted_again(database: Database) -> None:
    """A mark that was renewed after it was read stays."""
    ann = await new_user(database, "ann")
    await ready_photo(database, ann, tags=["sea"])
    (read,) = await tag_counts.marked(database)
    await ready_photo(database, ann, tags=["sea"])
    async with database.transaction() as tx:
        await tag_counts.store(tx, read, 1)
    assert await counts(database) == {"sea": 1}
    await database.fetchval("UPDATE tags SET counted_at = counted_at - interval '1 minute' RETURNING 1")
    assert await SearchIndexer(database).count_tags() == 1
    assert await counts(database) == {"sea": 2}


async def test_a_change_that_is_not_committed_keeps_its_mark(database: Database) -> None:
    """The deletion of a mark waits for a transaction that renews it, and then leaves it."""
    ann = await new_user(database, "ann")
    photo = await ready_photo(database, ann, tags=["sea"])
    (read,) = await tag_counts.marked(database)
    async with database.transaction() as tx:
        await photo_edits.edit(tx, photo.id, author_id=ann.id, tags=["lake"])

        async def store() -> None:
            async with database.transaction() as other:
                await tag_counts.store(other, read, 1)

        storing = asyncio.create_task(store())
        done, _ = await asyncio.wait([storing], timeout=0.2)
        assert not done
    await storing
    assert {one.tag for one in await tag_counts.marked(database)} >= {"lake"}
    await database.fetchval("UPDATE tags SET counted_at = counted_at - interval '1 minute' RETURNING 1")
    await SearchIndexer(database).count_tags()
    assert await counts(database) == {"lake": 1}


async def test_of_two_counts_the_later_one_is_kept(database: Database) -> None:
    """A count that began earlier and ends later changes nothing."""
    ann = await new_user(database, "ann")
    await ready_photo(database, ann, tags=["sea"])
    (early,) = await tag_counts.marked(database)
    (late,) = await tag_counts.marked(database)
    for one, photos in ((late, 5), (early, 4)):
        async with database.transaction() as tx:
            await tag_counts.store(tx, one, photos)
    assert await counts(database) == {"sea": 5}
    async with database.transaction() as tx:
        await tag_counts.store(tx, early, 0)
    assert await counts(database) == {"sea": 5}


async def test_a_popular_tag_is_counted_more_rarely(database: Database) -> None:
    """After the count of many photos a tag waits, and other tags do not."""
    ann = await new_user(database, "ann")
    await ready_photo(database, ann, tags=["popular", "rare"])
    await database.fetchval("INSERT INTO tags (tag, key, photos) VALUES ('popular', 'popular', 6000) RETURNING 1")
    assert [one.tag for one in await tag_counts.marked(database)] == ["rare"]
    await database.fetchval("UPDATE tags SET counted_at = now() - interval '61 seconds' RETURNING 1")
    assert {one.tag for one in await tag_counts.marked(database)} == {"popular", "rare"}


async def test_missing_rows_are_filled(database: Database) -> None:
    """Users and photos of a version without the index are added once, with their fame and tags."""
    people = await new_users(database, "ann", "bob", "cay", "dan", "eve")
    photos = [await ready_photo(database, user, caption="Übers Meer", tags=["sea"]) for user in people]
    users = "SELECT user_id, name, display, fame FROM user_search ORDER BY user_id"
    words = "SELECT photo_id, words::text FROM photo_text ORDER BY photo_id"
    await database.fetchval("UPDATE users SET followers = 7 RETURNING 1")
    await database.fetchval("UPDATE user_search SET fame = 3 RETURNING 1")
    before = [await database.fetch(users), await database.fetch(words)]
    await SearchIndexer(database).count_tags()
    for table in ("user_search", "photo_text", "tags"):
        await database.fetchval(f"TRUNCATE {table}")
    await database.fetchval("UPDATE users SET deleted_at = now() WHERE username = 'eve' RETURNING 1")
    await database.fetchval("UPDATE users SET searchable = false WHERE username = 'dan' RETURNING 1")
    assert await SearchIndexer(database).fill() == 0  # they are younger than an hour
    now = timedelta(hours=-1)
    batches = []
    for fill in (search_fill.fill_users, search_fill.fill_photos):
        done: int | None = 0
        while done is not None:
            async with database.transaction() as tx:
                done = await fill(tx, limit=2, checked_after=now)
            batches.append(done)
    assert batches == [2, 1, 0, None, 2, 2, 1, None]
    hidden = {people[3].id, people[4].id}
    assert await database.fetch(users) == [row for row in before[0] if row["user_id"] not in hidden]
    assert await database.fetch(words) == before[1]
    assert len(photos) == len(before[1])
    await SearchIndexer(database).count_tags()
    assert await counts(database) == {"sea": 3}
