"""The worker "purge": what it has caches forget, in which pages, and what becomes of caches that fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from storage import events
from storage.circuit import Circuit, CircuitPolicy
from storage.events import CachePurge, Event, MediaPurge
from storage.ids import MAX_ID
from storage.models import Photo, User
from storage.postgres.database import Database
from storage.stores import erasure, photo_deletion, users
from tests.support.community import new_user, processing_photo, ready_photo, ready_post
from workers.caches.port import CacheError, HiddenImages
from workers.caches.purger import CIRCUIT, Purger
from workers.jobs.purge import AGAIN_AFTER, PurgeHandlers, retry_delay

pytestmark = pytest.mark.engines


class StubCache:
    """A cache that records what it is asked for, and fails while it is down."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.down = False
        self.asked: list[list[HiddenImages]] = []

    async def purge(self, images: Sequence[HiddenImages]) -> None:
        """Record, or fail."""
        self.asked.append(list(images))
        if self.down:
            raise CacheError("down")

    def forgotten(self) -> list[str]:
        """Return the hashes that it was asked to forget since the last call."""
        asked, self.asked = [image.sha256 for images in self.asked for image in images], []
        return asked


class Scene:
    """Two caches and a hook, and the worker's handlers; `now` is their clock."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.one, self.two, self.hook = (StubCache(name) for name in ("one", "two", "hook"))
        self.now = 1000.0
        patient = CircuitPolicy(failures=1000)
        purgers = [Purger(cache, circuit=Circuit(policy=patient)) for cache in (self.one, self.two)]
        hook = Purger(self.hook, circuit=Circuit(policy=patient))
        self.handlers = PurgeHandlers(database, purgers, hook, limit=3, clock=lambda: self.now)

    async def handle(self, event: Event) -> list[tuple[Event, float]]:
        """Handle an event; return those that it has emitted, with the seconds until they are due."""
        await self.handlers.handlers()[event.topic](event)
        rows = await self.database.fetch(
            "DELETE FROM outbox "
            "RETURNING id, topic, body, extract(epoch FROM available_at - created_at)::float8 AS after"
        )
        return [
            (events.decode(row["topic"], row["body"]), row["after"]) for row in sorted(rows, key=lambda row: row["id"])
        ]

    async def purges(self) -> list[MediaPurge]:
        """Return the purges that were emitted since the last call."""
        rows = await self.database.fetch("DELETE FROM outbox RETURNING topic, body")
        found = [events.decode(row["topic"], row["body"]) for row in rows if row["topic"] == "media.purge"]
        return [event for event in found if isinstance(event, MediaPurge)]


@pytest.fixture
async def ann(database: Database) -> User:
    """The author."""
    return await new_user(database, "ann")


@pytest.fixture
def scene(database: Database) -> Scene:
    """A scene."""
    return Scene(database)


async def hide(database: Database, *of: Photo) -> None:
    """Delete photos, as if long ago."""
    async with database.transaction() as tx:
        for photo in of:
            await photo_deletion.delete(tx, photo.id, author_id=photo.author.id)
    await database.fetch("DELETE FROM outbox")


async def test_all_caches_forget_what_is_hidden_and_nothing_else(scene: Scene, database: Database, ann: User) -> None:
    """What is public by another photo stays; signed URLs go only with the last photo that has the original."""
    ben, eve = await new_user(database, "ben"), await new_user(database, "eve", private=True)
    gone, shared, kept = [await ready_photo(database, ann) for _ in range(3)]
    await ready_photo(database, ben, sha256=shared.sha256)
    await ready_photo(database, eve, sha256=kept.sha256)
    await hide(database, gone, shared, kept)
    event = MediaPurge(user_id=ann.id, sha256s=[gone.sha256, shared.sha256, kept.sha256], at=990.0)
    emitted = await scene.handle(event)
    expected = [HiddenImages(sha256=gone.sha256, signed=True), HiddenImages(sha256=kept.sha256, signed=False)]
    assert scene.one.asked == scene.two.asked == scene.hook.asked == [expected]

    # For responses that were on their way, once more.
    again = replace(event, sha256s=[gone.sha256, kept.sha256], caches=["one", "two", "hook"])
    assert emitted == [(again, AGAIN_AFTER)]
    assert await scene.handle(again) == []
    assert scene.one.asked == [expected, expected]


async def test_nothing_is_sent_for_what_is_public(scene: Scene, database: Database, ann: User) -> None:
    """An account that is public again keeps its images in the caches, and no event follows."""
    photo = await ready_photo(database, ann)
    await database.fetch("DELETE FROM outbox")
    assert await scene.handle(MediaPurge(user_id=ann.id, photos_below=MAX_ID)) == []
    assert await scene.handle(CachePurge(user_id=ann.id, cache="one", sha256s=[photo.sha256], at=1)) == []
    assert scene.one.asked == scene.hook.asked == []


async def test_an_account_is_purged_page_by_page(scene: Scene, database: Database, ann: User) -> None:
    """Newest photos first, three in an event; the time of the first event stays; photos in processing are left out."""
    shown = [await ready_photo(database, ann) for _ in range(7)]
    await processing_photo(database, ann)
    await database.fetch("DELETE FROM outbox")
    async with database.transaction() as tx:
        await users.update(tx, ann.id, private=True)
    pages, (event,) = [], await scene.purges()
    assert (event.photos_below, event.sha256s) == (MAX_ID, [])
    waiting: list[Event] = [event]
    while waiting:
        emitted = await scene.handle(waiting.pop())
        pages.append(scene.one.forgotten())
        assert {found.at for found, _ in emitted if isinstance(found, MediaPurge)} <= {event.at}
        waiting += [found for found, after in emitted if after == 0]
    newest = [photo.sha256 for photo in reversed(shown)]
    assert pages == [newest[:3], newest[3:6], newest[6:]]


async def test_all_pictures_of_a_photo_are_purged(scene: Scene, database: Database, ann: User) -> None:
    """Of a photo with several, each one disappears, with the photo and with the account."""
    post = await ready_post(database, ann, "one", "two", "three")
    pictures = {item.sha256 for item in post.items}
    await scene.purges()
    async with database.transaction() as tx:
        await users.update(tx, ann.id, private=True)
    (event,) = await scene.purges()
    await scene.handle(event)
    forgotten = scene.one.forgotten()
    assert (len(forgotten), set(forgotten)) == (3, pictures)
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, post.id, author_id=ann.id)
    assert [set(purge.sha256s) for purge in await scene.purges()] == [pictures]


async def test_a_cache_that_fails_is_asked_again_alone(scene: Scene, database: Database, ann: User) -> None:
    """Its event is repeated until it succeeds, the later the longer it lasts; then the hook is called again."""
    photo = await ready_photo(database, ann)
    await hide(database, photo)
    scene.two.down = True
    scene.now = 990.0
    retry = CachePurge(user_id=ann.id, cache="two", sha256s=[photo.sha256], at=990.0)
    emitted = await scene.handle(MediaPurge(user_id=ann.id, sha256s=[photo.sha256], at=990.0))
    again = MediaPurge(user_id=ann.id, sha256s=[photo.sha256], at=990.0, caches=["one", "hook"])
    assert emitted == [(again, AGAIN_AFTER), (retry, AGAIN_AFTER)]
    for now, after in ((992.0, 2.0), (1090.0, 10.0), (9990.0, 60.0)):
        scene.now = now
        assert await scene.handle(retry) == [(retry, after)]
    assert len(scene.one.asked) == len(scene.hook.asked) == 1
    scene.two.down = False
    assert await scene.handle(retry) == [(replace(retry, cache="hook"), 0.0)]
    assert await scene.handle(replace(retry, cache="hook")) == []
    assert len(scene.hook.asked) == 2


async def test_an_open_circuit_loses_no_purge(database: Database, ann: User) -> None:
    """Purges that are not sent are emitted again like failed ones, and carried out when the cache answers again."""
    now = 0.0
    cache, circuit = StubCache("one"), Circuit(policy=CIRCUIT, clock=lambda: now)
    scene = Scene(database)
    scene.handlers = PurgeHandlers(database, [Purger(cache, circuit=circuit)])
    photos = [await ready_photo(database, ann) for _ in range(3)]
    await hide(database, *photos)
    cache.down = True
    retries: list[Event] = []
    for photo in photos:
        retries += [
            event for event, _ in await scene.handle(MediaPurge(user_id=ann.id, sha256s=[photo.sha256], at=990.0))
        ]
    assert [event.sha256s for event in retries if isinstance(event, CachePurge)] == [[photo.sha256] for photo in photos]
    assert len(cache.asked) == 1
    cache.down = False
    now += CIRCUIT.pause
    for retry in retries:
        assert await scene.handle(retry) == []
    assert cache.forgotten()[1:] == [photo.sha256 for photo in photos]


async def test_a_cache_that_is_not_configured_any_more_is_forgotten(
    scene: Scene, database: Database, ann: User
) -> None:
    """Its events end."""
    photo = await ready_photo(database, ann)
    await hide(database, photo)
    assert await scene.handle(CachePurge(user_id=ann.id, cache="three", sha256s=[photo.sha256], at=1)) == []


async def test_without_caches_nothing_is_read_or_emitted(database: Database) -> None:
    """An installation without caches only takes the events from the queue."""
    await database.close()
    await PurgeHandlers(database, []).purge(MediaPurge(user_id=1, photos_below=MAX_ID))


@pytest.mark.parametrize(("age", "delay"), [(0, 2), (19, 2), (300, 30), (600, 60), (86_400, 60)])
def test_the_delay_of_a_retry_is_a_tenth_of_the_age(age: float, delay: float) -> None:
    """After an outage a cache catches up within a tenth of its duration, and within a minute."""
    assert retry_delay(age) == delay


async def test_every_way_to_hide_images_emits_a_purge(scene: Scene, database: Database, ann: User) -> None:
    """With the deletion of a photo or an account; a batch of a deleted account names its photos."""
    first, second = [await ready_photo(database, ann) for _ in range(2)]
    await scene.purges()
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, first.id, author_id=ann.id)
    assert [(purge.user_id, purge.sha256s) for purge in await scene.purges()] == [(ann.id, [first.sha256])]
    async with database.transaction() as tx:
        await users.update(tx, ann.id, private=False)
    assert await scene.purges() == []
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
    assert [purge.photos_below for purge in await scene.purges()] == [MAX_ID]
    async with database.transaction() as tx:
        assert await erasure.erase(tx, ann.id)
    assert [purge.sha256s for purge in await scene.purges()] == [[second.sha256]]
