"""Counters and likes in Redis."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from storage import ids
from storage.cache.counters import MARKER, TTL, CounterCache, covers, liked_key, pack_ids_each
from storage.models import PhotoCounters
from storage.postgres.database import Database
from storage.stores.comments import comments
from storage.stores.photos import likes
from tests.support.driver_commands import commands
from tests.support.gallery import Gallery

pytestmark = [pytest.mark.engines, pytest.mark.cluster]


@pytest.fixture
def gallery(database: Database) -> Gallery:
    """Users and photos."""
    return Gallery(database)


@pytest.fixture
def counter_cache(database: Database, redis: Any) -> CounterCache:
    """Counters and likes."""
    return CounterCache(database, redis)


async def like(database: Database, photo: int, user_id: int) -> PhotoCounters:
    """Like a photo in the database alone."""
    async with database.transaction() as tx:
        return await likes.add(tx, photo_id=photo, user_id=user_id)


async def unlike(database: Database, photo: int, user_id: int) -> PhotoCounters:
    """Take a like back in the database alone."""
    async with database.transaction() as tx:
        return await likes.remove(tx, photo_id=photo, user_id=user_id)


async def test_read_from_the_database_first(counter_cache: CounterCache, gallery: Gallery, database: Database) -> None:
    """Missing states are read from PostgreSQL; a photo that does not exist has zeros."""
    ann, bob = await gallery.user(), await gallery.user()
    photo, plain = await gallery.photo(bob), await gallery.photo(bob)
    await like(database, photo, ann)
    async with database.transaction() as tx:
        await comments.add(tx, photo_id=photo, author_id=ann, text="lovely")
    for _ in range(2):
        assert await counter_cache.read([photo, plain, 5], ann) == {
            photo: (1, 1, True),
            plain: (0, 0, False),
            5: (0, 0, False),
        }
    assert (await counter_cache.read([photo], bob))[photo] == (1, 1, False)
    assert await counter_cache.read([], ann) == {}


async def test_read_your_own_like(counter_cache: CounterCache, gallery: Gallery, database: Database) -> None:
    """A like and an unlike show in the next read."""
    ann = await gallery.user()
    photo = await gallery.photo(ann)
    await counter_cache.read([photo], ann)
    for _ in range(2):
        await counter_cache.apply(await like(database, photo, ann), ann)
        assert (await counter_cache.read([photo], ann))[photo] == (1, 0, True)
        await counter_cache.apply(await unlike(database, photo, ann), ann)
        assert (await counter_cache.read([photo], ann))[photo] == (0, 0, False)


@pytest.mark.parametrize("loaded", [True, False])
async def test_order_and_repeats_do_not_matter(
    counter_cache: CounterCache, gallery: Gallery, database: Database, redis: Any, loaded: bool
) -> None:
    """However states are ordered and repeated, the newest wins, whether the likes were loaded before or not."""
    ann = await gallery.user()
    photo = await gallery.photo(ann)
    states = [await likes.state(database, photo_id=photo, user_id=ann)]
    states += [await like(database, photo, ann), await unlike(database, photo, ann), await like(database, photo, ann)]
    for order in itertools.permutations(states):
        await commands(redis).flushall()
        if loaded:
            await counter_cache.read([photo], ann)
        for state in (*order, order[0]):
            await counter_cache.apply(state, ann)
        assert (await counter_cache.read([photo], ann))[photo] == (1, 0, True)


async def test_unlike_during_a_slow_load(counter_cache: CounterCache, gallery: Gallery, redis: Any) -> None:
    """An action that arrives while older likes are loaded is not overwritten by them."""
    ann = await gallery.user()
    photo = await gallery.photo(ann)
    taken_back = PhotoCounters(photo_id=photo, liked=False, likes=0, comments=0, version=2, changed=True)
    await counter_cache.apply(taken_back, ann)
    key = liked_key(ann)
    await counter_cache._liked.run(redis, [key], (60, b"all", photo.to_bytes(8, "big"), b"+1"))
    assert (await counter_cache.read([photo], ann))[photo] == (0, 0, False)


async def test_untouched_photo_is_not_liked(counter_cache: CounterCache, gallery: Gallery, database: Database) -> None:
    """Removing a like that does not exist leaves the photo not liked, although its version is 0."""
    ann = await gallery.user()
    photo = await gallery.photo(ann)
    await counter_cache.apply(await unlike(database, photo, ann), ann)
    assert (await counter_cache.read([photo], ann))[photo] == (0, 0, False)


async def test_old_photo_is_looked_up(counter_cache: CounterCache, gallery: Gallery, database: Database) -> None:
    """A like older than those kept in Redis is found in PostgreSQL."""
    ann = await gallery.user()
    photo = await gallery.photo(ann)
    old = ids.SHARDS + ids.shard_of(photo)  # made in the first millisecond of all
    await database.fetch(
        "INSERT INTO photos SELECT (jsonb_populate_record(p, $2)).* FROM photos p WHERE id = $1", photo, {"id": old}
    )
    await like(database, old, ann)
    await database.fetch("UPDATE likes SET created_at = now() - interval '100 days' WHERE photo_id = $1", old)
    assert (await counter_cache.read([old, photo], ann)) == {old: (1, 0, True), photo: (0, 0, False)}


async def test_likes_in_redis_are_recent(
    counter_cache: CounterCache, gallery: Gallery, database: Database, redis: Any
) -> None:
    """Only likes of the last 90 days are loaded, so that the hash of a user does not grow for ever."""
    ann = await gallery.user()
    photos = [await gallery.photo(ann) for _ in range(3)]
    for photo, days in zip(photos, (91, 89, 0), strict=True):
        await like(database, photo, ann)
        await database.fetch(
            "UPDATE likes SET created_at = now() - make_interval(days => $2) WHERE photo_id = $1", photo, days
        )
    await counter_cache.read(photos, ann)
    stored = await commands(redis).hgetall(liked_key(ann))
    assert set(stored) == {MARKER, *pack_ids_each(photos[1:])}
    assert stored[MARKER] == b"all"


async def test_likes_are_loaded_again_after_a_day(
    counter_cache: CounterCache, gallery: Gallery, database: Database, redis: Any
) -> None:
    """The likes of a user expire a day after they were loaded; neither reads nor further likes extend that."""
    ann = await gallery.user()
    photo = await gallery.photo(ann)
    await counter_cache.read([photo], ann)
    assert 0 < await commands(redis).ttl(liked_key(ann)) <= TTL
    await commands(redis).expire(liked_key(ann), 100)
    await counter_cache.apply(await like(database, photo, ann), ann)
    await counter_cache.read([photo], ann)
    assert 0 < await commands(redis).ttl(liked_key(ann)) <= 100


async def test_more_likes_than_are_kept(
    counter_cache: CounterCache, gallery: Gallery, database: Database, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a user with more likes than are kept the newest are loaded, and the others are found in PostgreSQL."""
    monkeypatch.setattr("storage.cache.counters.MAX_LIKES", 2)
    ann = await gallery.user()
    photos = [await gallery.photo(ann) for _ in range(4)]
    for photo in photos[:3]:
        await like(database, photo, ann)
    for _ in range(2):
        liked = await counter_cache.read(photos, ann)
        assert [liked[photo][2] for photo in photos] == [True, True, True, False]
    stored = await commands(redis).hgetall(liked_key(ann))
    assert set(stored) == {MARKER, *pack_ids_each(photos[1:3])}
    assert stored[MARKER] == b"newest"


def test_which_photos_a_loaded_hash_covers() -> None:
    """A loaded hash covers the last 90 days, unless the user has more likes than are kept."""
    recent = (2**41 - 1) << 22
    assert covers(b"all", recent)
    assert not covers(b"newest", recent)
    assert not covers(None, recent)
    assert not covers(b"all", 1024)
