"""Query plans of searches: each reads an index, and of frequent texts only the best, however many users there are."""

from __future__ import annotations

from typing import Any

import pytest

from storage.ids import MAX_ID
from storage.models import Photo
from storage.postgres.database import Database
from storage.search_text import parse
from storage.stores.discovery import tag_search, user_search
from storage.stores.photos import photo_search
from tests.integration.storage.stores.test_plans import Explaining

pytestmark = [pytest.mark.engines, pytest.mark.fresh_database]

USERS, PHOTOS = 10_000, 15_000
VIEWER = 1025  # the first user
WHERE_A_PAGE_ENDS = [("photo_text_pkey", 1)]  # the first photo; then the newest, whose ids alone are read
FILL = (
    # All usernames and most display names begin with the same letters; "rare" is in one of 200 names.
    """
    INSERT INTO users (shard, id, username, email, password_hash, display_name)
    SELECT i & 1023, i * 1024 + (i & 1023), 'u' || i, 'u' || i, '-', 'U' || i FROM generate_series(1, 10000) AS i""",
    """
    INSERT INTO user_search (shard, user_id, name, display, fame)
    SELECT shard, id, 'com' || left(md5(id::text), 6), CASE WHEN id / 1024 % 200 = 0 THEN 'arare' ELSE 'common' END,
        (id % 7)::smallint
    FROM users""",
    """
    INSERT INTO following (shard, follower_id, followee_id)
    SELECT 1, 1025, i * 1024 + (i & 1023) FROM generate_series(2, 301) AS i""",
    """
    INSERT INTO photos (shard, id, author_id, state, sha256, content_type, bytes, width, height)
    SELECT a & 1023, (100000 + i) * 1024 + (a & 1023), a * 1024 + (a & 1023), 'ready', repeat('a', 64), 'image/png',
        1, 1, 1
    FROM generate_series(1, 15000) AS i, LATERAL (SELECT 1 + i % 10000 AS a) AS author""",
    """
    INSERT INTO photo_text (shard, photo_id, words)
    SELECT shard, id, array_to_tsvector(array_remove(ARRAY['the', left(md5(id::text), 4),
        CASE WHEN id / 1024 % 1000 = 0 THEN 'rare' END, CASE WHEN id / 1024 % 20 = 0 THEN 'some' END,
        CASE WHEN id / 1024 > 114960 AND id / 1024 % 10 = 0 OR id / 1024 < 100100 THEN 'burst' END], NULL))
    FROM photos""",
    """
    INSERT INTO photo_tags (shard, photo_id, tag) SELECT shard, id, 'abcd' || id / 1024 % 10000 FROM photos
    UNION SELECT shard, id, 'abcd10000' FROM photos""",
    "INSERT INTO tags (tag, key, photos) SELECT 'abcd' || i, 'abcd' || i, i FROM generate_series(1, 10000) AS i",
)


@pytest.fixture
async def populated(database: Database) -> Database:
    """A database of 10,000 users and tags and 15,000 photos; the viewer follows 300 users."""
    async with database.transaction() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")  # without checks of foreign keys
        for statement in FILL:
            await tx.execute(statement)
    for table in ("users", "user_search", "photos", "photo_text", "photo_tags", "tags", "following"):
        await database.fetchval(f"VACUUM ANALYZE {table}")
    return database


def read(explained: Explaining, table: str) -> list[tuple[str, int]]:
    """Return for each scan of a table its index, "" for a scan of all of it, and the rows that it read."""
    inner = [node["Index Name"] for node in explained.nodes if node["Node Type"] == "Bitmap Index Scan"]
    found = []
    for node in explained.scans(table):
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        index = inner.pop(0) if node["Node Type"] == "Bitmap Heap Scan" else node.get("Index Name", "")
        found.append((index, round((node["Actual Rows"] + removed) * node["Actual Loops"])))
    return found


async def users(database: Database, text: str, viewer_id: int | None = None) -> list[tuple[str, int]]:
    """Return what a search for users reads of their names."""
    explained, found = Explaining(database), list[user_search.FoundUser]()
    await user_search.search(explained, parse(text), found, viewer_id=viewer_id, parts=True)
    return read(explained, "user_search")


async def photos(database: Database, text: str) -> list[tuple[str, int]]:
    """Return what a search for photos reads of their words."""
    return read(await explained_photos(database, text), "photo_text")


async def explained_photos(database: Database, text: str) -> Explaining:
    """Return the plans of a search for photos."""
    explained, found = Explaining(database), list[Any]()
    await photo_search.search(explained, parse(text).lexemes, found, viewer_id=VIEWER, before=MAX_ID, limit=21)
    return explained


async def found_photos(database: Database, text: str, before: int) -> list[int]:
    """Return the photos that a search finds."""
    found = list[Photo]()
    await photo_search.search(database, parse(text).lexemes, found, viewer_id=VIEWER, before=before, limit=21)
    return [photo.id for photo in found]


async def tags(database: Database, text: str) -> Explaining:
    """Return the plans of a search for tags."""
    explained, found = Explaining(database), list[tag_search.FoundTag]()
    await tag_search.search(explained, parse(text), found, parts=True)
    return explained


async def test_searches_read_indexes(populated: Database) -> None:
    """Frequent texts stop at the best results, and rare ones read what has them; followed users are read by their ids.

    All is one test, because filling the database takes longer than the searches.
    """
    for text, letters in (("c", 1), ("co", 2), ("com", 3)):
        by_name, by_display, *_ = await users(populated, text)
        assert (by_name[0], by_display[0]) == (f"user_search_name_{letters}", f"user_search_display_{letters}")
        assert max(by_name[1], by_display[1]) <= 150
    assert await users(populated, "rare") == [("user_search_parts", USERS // 200)]
    assert [index for index, _ in await users(populated, "zzrarezz")] == ["user_search_parts"] * 2
    assert ("user_search_pkey", 300) in await users(populated, "common", VIEWER)

    ((index, rows),) = await photos(populated, "the ")
    assert (index, rows <= 42) == ("photo_text_pkey", True)
    looked_through = [("photo_text_pkey", 5000), *WHERE_A_PAGE_ENDS, ("photo_text_pkey", 5000)]
    assert await photos(populated, "rare ") == [*looked_through, ("photo_text_words", PHOTOS // 1000)]

    plans = await tags(populated, "bcdez")
    assert [index for index, _ in read(plans, "tags")] == ["tags_key", "tags_parts", "tags_parts"]
    # Whether a tag has a photo that everyone may see costs one photo, however many it has.
    plans = await tags(populated, "abcd")
    assert sum(rows for _, rows in read(plans, "photo_tags")) <= 100


async def test_a_word_that_is_not_frequent_is_read_from_where_a_page_is_expected(
    populated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 750 photos with the word a page reads the newest; its number among the newest of all says how far they reach.

    The page is the right one in any case, also where the newest photos have the word more often than those below.
    """
    monkeypatch.setattr(photo_search, "_WALK", 200)
    explained = await explained_photos(populated, "some ")
    *walked, _ = read(explained, "photo_text")
    assert walked == [("photo_text_pkey", 200), *WHERE_A_PAGE_ENDS, ("photo_text_pkey", 200)]
    # In so small a table their rows are read and filtered; in a greater one the index of ids is used as well.
    assert 21 <= explained.scans("photo_text")[-1]["Actual Rows"] < 100
    # Down to the likely end of a page there are too few; the others are below it.
    assert len(await photos(populated, "burst ")) == len(walked) + 2
    newest = await populated.fetchval("SELECT max(photo_id) FROM photo_text")
    for text in ("some ", "burst ", "rare "):
        for before in (MAX_ID, newest - 40_000, newest - 4_000_000, 0):
            wanted = await populated.fetch(
                "SELECT photo_id FROM photo_text WHERE words @@ $1::text::tsquery AND photo_id < $2 "
                "ORDER BY photo_id DESC LIMIT 21",
                text,
                before,
            )
            assert await found_photos(populated, text, before) == [row["photo_id"] for row in wanted]
