"""The worker "warm": whose photos caches fetch in advance, which images, and within which budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from storage.blobs.variants import VariantRegistry
from storage.circuit import Circuit
from storage.events import PhotoReady, PhotoTrending
from storage.limits.quotas import QuotaPolicy, Quotas
from storage.models import Photo, User
from storage.postgres.database import Database
from storage.redis.client import Redis
from storage.stores.accounts import account_fields, users
from storage.stores.photos import photo_deletion
from tests.support.community import follow, new_user, new_users, ready_photo, ready_post
from workers.caches.nginx import NginxCache
from workers.caches.port import CacheError
from workers.jobs.caches.warm import CIRCUIT, Warmer, WarmHandlers

pytestmark = pytest.mark.engines

EAGER = ("320.jpg", "320.webp", "1080.jpg", "1080.webp")


class StubCache:
    """A cache that has what it was asked for once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.down = False
        self.fetched: list[str] = []

    async def fetch(self, paths: Sequence[str]) -> Mapping[str, int]:
        """Record the paths, or fail."""
        if self.down:
            raise CacheError("down")
        self.fetched += paths
        return {"fetched": len(paths)}


class Counts(dict[tuple[str, str], int]):
    """Images by cache and result."""

    def cache_warmed(self, *, cache: str, result: str, images: int) -> None:
        """Count."""
        self[cache, result] = self.get((cache, result), 0) + images


class Scene:
    """Two caches, and the worker's handler for authors with two followers; the budget is eight images."""

    def __init__(self, database: Database, redis: Redis, *, caches: bool = True) -> None:
        self.one, self.two, self.counts = StubCache("one"), StubCache("two"), Counts()
        warmer = Warmer(
            [(cast(NginxCache, cache), Circuit(policy=CIRCUIT)) for cache in (self.one, self.two) if caches],
            Quotas(redis),
            QuotaPolicy(name="warm", limit=8, window_seconds=60),
            VariantRegistry(),
            self.counts,
        )
        self.handlers = WarmHandlers(database, warmer, followers=2)

    async def ready(self, photo: Photo) -> list[str]:
        """Handle the event of a photo; return what the first cache has fetched for it."""
        event = PhotoReady(photo_id=photo.id, author_id=photo.author.id)
        await self.handlers.handlers()[event.topic](event)
        fetched, self.one.fetched = self.one.fetched, []
        return fetched


@pytest.fixture
def scene(database: Database, redis: Any) -> Scene:
    """A scene."""
    return Scene(database, redis)


@pytest.fixture
async def ann(database: Database) -> User:
    """An author with two followers."""
    ann, *fans = await new_users(database, "ann", "ben", "cat")
    for fan in fans:
        await follow(database, fan, ann)
    return ann


def eager(*sha256s: str) -> list[str]:
    """Return the paths of the eager variants of originals."""
    return [f"/media/r1/{sha256}/{name}" for sha256 in sha256s for name in EAGER]


async def test_every_cache_fetches_the_eager_images_of_a_photo(scene: Scene, database: Database, ann: User) -> None:
    """The four of each picture, from both caches; what is beyond the budget is left out."""
    post, photo = await ready_post(database, ann, "one", "two"), await ready_photo(database, ann)
    assert await scene.ready(post) == eager(*(item.sha256 for item in post.items)) == scene.two.fetched
    assert await scene.ready(photo) == []
    assert scene.counts == {
        (name, result): n for name in ("one", "two") for result, n in (("fetched", 8), ("over_budget", 4))
    }


async def test_only_public_photos_of_authors_with_many_followers_are_fetched(
    scene: Scene, database: Database, ann: User
) -> None:
    """Not those of others, of private accounts, or that are deleted meanwhile."""
    eve = await new_user(database, "eve")
    assert await scene.ready(await ready_photo(database, eve)) == []
    gone, shown = await ready_photo(database, ann), await ready_photo(database, ann)
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, gone.id, author_id=ann.id)
    assert await scene.ready(gone) == []
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=True)
    assert await scene.ready(shown) == []
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
    assert await scene.ready(shown) == []


async def test_photos_that_trend_are_fetched_whoever_their_author_is(scene: Scene, database: Database) -> None:
    """The author needs no followers, but a public account."""
    eve = await new_user(database, "eve")
    photo = await ready_photo(database, eve)
    event = PhotoTrending(photo_id=photo.id, author_id=eve.id)
    await scene.handlers.handlers()[event.topic](event)
    assert scene.one.fetched == eager(photo.sha256)
    async with database.transaction() as tx:
        await account_fields.update(tx, eve.id, private=True)
    await scene.handlers.handlers()[event.topic](event)
    assert scene.one.fetched == eager(photo.sha256)


async def test_a_cache_that_is_down_is_left_out_for_a_while(scene: Scene, database: Database, ann: User) -> None:
    """The other one fetches, and nothing is repeated."""
    scene.two.down = True
    for _ in range(2):
        photo = await ready_photo(database, ann)
        assert await scene.ready(photo) == eager(photo.sha256)
        scene.two.down = False
    assert scene.two.fetched == []
    assert scene.counts == {("one", "fetched"): 8, ("two", "failed"): 8}


async def test_without_caches_nothing_is_read(database: Database, redis: Any, ann: User) -> None:
    """An installation without caches only takes the events from the queue."""
    photo = await ready_photo(database, ann)
    await database.close()
    assert await Scene(database, redis, caches=False).ready(photo) == []
