"""The workers "purge" and "forget": what caches hide and forget, and what becomes of caches that fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from server.operation.metrics import Metrics
from storage import events
from storage.circuit import Circuit, CircuitPolicy
from storage.events import CachePurge, Event, MediaForget, MediaPurge
from storage.ids import MAX_ID
from storage.models import Photo, User
from storage.postgres.database import Database
from storage.stores.accounts import account_fields, erasure, users
from storage.stores.photos import photo_deletion
from tests.support.community import new_user, processing_photo, ready_photo, ready_post
from workers.caches.port import CacheError, HiddenImages
from workers.caches.purger import CIRCUIT, Purger
from workers.jobs.caches.forget import ForgetHandlers
from workers.jobs.caches.purge import FORGET_AFTER, FORGOTTEN_AT_ONCE, PurgeHandlers, Purgers, retry_delay

pytestmark = pytest.mark.engines


class StubCache:
    """A cache that records what it is asked to hide and to forget, and fails while it is down."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.down = False
        self.hidden: list[list[str]] = []
        self.forgotten: list[list[HiddenImages]] = []

    async def hide(self, originals: Sequence[str]) -> None:
        """Record, or fail."""
        self.hidden.append(list(originals))
        self._answer()

    async def forget(self, images: Sequence[HiddenImages]) -> None:
        """Record, or fail."""
        self.forgotten.append(list(images))
        self._answer()

    def newly_hidden(self) -> list[str]:
        """Return the hashes that it was asked to hide since the last call."""
        hidden, self.hidden = [sha256 for originals in self.hidden for sha256 in originals], []
        return hidden

    def _answer(self) -> None:
        if self.down:
            raise CacheError("down")


class Scene:
    """Two caches and a hook, and the handlers of both workers; `now` is their clock."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.one, self.two, self.hook = (StubCache(name) for name in ("one", "two", "hook"))
        self.now = 1000.0
        self.metrics = Metrics()
        patient = CircuitPolicy(failures=1000)
        *caches, hook = (
            Purger(cache, self.metrics, Circuit(policy=patient)) for cache in (self.one, self.two, self.hook)
        )
        purgers = Purgers(caches=caches, hook=hook)
        self.handlers = {
            **PurgeHandlers(database, purgers, limit=3, clock=lambda: self.now).handlers(),
            **ForgetHandlers(database, purgers, clock=lambda: self.now).handlers(),
        }

    async def handle(self, event: Event) -> list[tuple[Event, float]]:
        """Handle an event; return those that it has emitted, with the seconds until they are due."""
        await self.handlers[event.topic](event)
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


async def test_all_caches_hide_and_then_forget_what_is_hidden(scene: Scene, database: Database, ann: User) -> None:
    """What is public by another photo stays; signed URLs go only with the last photo that has the original."""
    ben, eve = await new_user(database, "ben"), await new_user(database, "eve", private=True)
    gone, shared, kept = [await ready_photo(database, ann) for _ in range(3)]
    await ready_photo(database, ben, sha256=shared.sha256)
    await ready_photo(database, eve, sha256=kept.sha256)
    await hide(database, gone, shared, kept)
    event = MediaPurge(user_id=ann.id, sha256s=[gone.sha256, shared.sha256, kept.sha256], at=990.0)
    emitted = await scene.handle(event)
    caches = (scene.one, scene.two, scene.hook)
    assert [(cache.hidden, cache.forgotten) for cache in caches] == [([[gone.sha256, kept.sha256]], [])] * 3

    # Once no response is on its way any more.
    hashes = [gone.sha256, kept.sha256]
    forget = MediaForget(user_id=ann.id, caches=["one", "two", "hook"], sha256s=hashes, at=990.0)
    assert emitted == [(forget, FORGET_AFTER)]
    assert await scene.handle(forget) == []
    expected = [HiddenImages(sha256=gone.sha256, signed=True), HiddenImages(sha256=kept.sha256, signed=False)]
    assert [(len(cache.hidden), cache.forgotten) for cache in caches] == [(1, [expected])] * 3
    for cache in caches:
        measured = scene.metrics.registry.get_sample_value("picshare_purge_seconds_count", {"cache": cache.name})
        assert measured == 1


async def test_nothing_is_sent_for_what_is_public(scene: Scene, database: Database, ann: User) -> None:
    """An account that is public again keeps its images in the caches, and no event follows."""
    await ready_photo(database, ann)
    await database.fetch("DELETE FROM outbox")
    assert await scene.handle(MediaPurge(user_id=ann.id, photos_below=MAX_ID)) == []
    assert scene.one.hidden == scene.hook.hidden == []


async def test_caches_end_to_hide_what_is_public_again(scene: Scene, database: Database, ann: User) -> None:
    """They forget it all the same, which ends it, also after a failure; a CDN hides nothing, so it is not asked."""
    photo = await ready_photo(database, ann)
    await database.fetch("DELETE FROM outbox")
    forget = MediaForget(user_id=ann.id, caches=["one"], sha256s=[photo.sha256], at=1)
    assert await scene.handle(replace(forget, caches=["one", "hook"])) == []
    retry = CachePurge(user_id=ann.id, cache="one", sha256s=[photo.sha256], at=1)
    assert await scene.handle(retry) == [(forget, FORGET_AFTER)]
    assert await scene.handle(replace(retry, cache="hook")) == []
    assert scene.one.forgotten == [[HiddenImages(sha256=photo.sha256, signed=False)]]
    assert scene.one.hidden == scene.hook.hidden == []
    assert scene.two.forgotten == scene.hook.forgotten == []


async def test_many_originals_are_forgotten_in_several_events(scene: Scene, ann: User) -> None:
    """What is hidden at once costs many requests later, so others' events come in between."""
    hashes = [f"{number:064x}" for number in range(2 * FORGOTTEN_AT_ONCE + 1)]
    emitted = await scene.handle(MediaPurge(user_id=ann.id, sha256s=hashes, at=1.0))
    assert scene.one.hidden == [hashes]
    pieces = [event.sha256s for event, _ in emitted if isinstance(event, MediaForget)]
    assert [len(piece) for piece in pieces] == [FORGOTTEN_AT_ONCE, FORGOTTEN_AT_ONCE, 1]
    assert [sha256 for piece in pieces for sha256 in piece] == hashes


async def test_an_account_is_hidden_page_by_page(scene: Scene, database: Database, ann: User) -> None:
    """Newest photos first, three in an event; the time of the first event stays; photos in processing are left out."""
    shown = [await ready_photo(database, ann) for _ in range(7)]
    await processing_photo(database, ann)
    await database.fetch("DELETE FROM outbox")
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=True)
    pages, (event,) = [], await scene.purges()
    assert (event.photos_below, event.sha256s) == (MAX_ID, [])
    waiting: list[Event] = [event]
    while waiting:
        emitted = await scene.handle(waiting.pop())
        pages.append(scene.one.newly_hidden())
        assert {found.at for found, _ in emitted if isinstance(found, MediaPurge)} <= {event.at}
        waiting += [found for found, after in emitted if after == 0]
    newest = [photo.sha256 for photo in reversed(shown)]
    assert pages == [newest[:3], newest[3:6], newest[6:]]


async def test_all_pictures_of_a_photo_are_hidden(scene: Scene, database: Database, ann: User) -> None:
    """Of a photo with several, each one disappears, with the photo and with the account."""
    post = await ready_post(database, ann, "one", "two", "three")
    pictures = {item.sha256 for item in post.items}
    await scene.purges()
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=True)
    (event,) = await scene.purges()
    await scene.handle(event)
    hidden = scene.one.newly_hidden()
    assert (len(hidden), set(hidden)) == (3, pictures)
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
    forget = MediaForget(user_id=ann.id, caches=["one", "hook"], sha256s=[photo.sha256], at=990.0)
    assert emitted == [(forget, FORGET_AFTER), (retry, FORGET_AFTER)]
    for now, after in ((992.0, 2.0), (1090.0, 10.0), (9990.0, 60.0)):
        scene.now = now
        assert await scene.handle(retry) == [(retry, after)]
    assert len(scene.one.hidden) == len(scene.hook.hidden) == 1
    scene.two.down = False
    hooked = replace(retry, cache="hook")
    assert await scene.handle(retry) == [(replace(forget, caches=["two"]), FORGET_AFTER), (hooked, 0.0)]
    assert await scene.handle(hooked) == []
    assert (len(scene.two.hidden), len(scene.hook.hidden)) == (5, 2)


async def test_a_cache_that_fails_to_forget_is_asked_again(scene: Scene, database: Database, ann: User) -> None:
    """It hides the images until then; those that have forgotten them are not asked."""
    photo = await ready_photo(database, ann)
    await hide(database, photo)
    forget = MediaForget(user_id=ann.id, caches=["one", "two"], sha256s=[photo.sha256], at=990.0)
    scene.two.down = True
    scene.now = 1090.0
    assert await scene.handle(forget) == [(replace(forget, caches=["two"]), 10.0)]
    scene.two.down = False
    assert await scene.handle(replace(forget, caches=["two"])) == []
    assert (len(scene.one.forgotten), len(scene.two.forgotten), scene.hook.forgotten) == (1, 2, [])


async def test_an_open_circuit_loses_no_purge(database: Database, ann: User) -> None:
    """Purges that are not sent are emitted again like failed ones, and carried out when the cache answers again."""
    now = 0.0
    cache, circuit = StubCache("one"), Circuit(policy=CIRCUIT, clock=lambda: now)
    scene = Scene(database)
    purgers = Purgers(caches=[Purger(cache, circuit=circuit)])
    scene.handlers |= PurgeHandlers(database, purgers).handlers()
    photos = [await ready_photo(database, ann) for _ in range(3)]
    await hide(database, *photos)
    cache.down = True
    retries: list[Event] = []
    for photo in photos:
        retries += [
            event for event, _ in await scene.handle(MediaPurge(user_id=ann.id, sha256s=[photo.sha256], at=990.0))
        ]
    assert [event.sha256s for event in retries if isinstance(event, CachePurge)] == [[photo.sha256] for photo in photos]
    assert len(cache.hidden) == 1
    cache.down = False
    now += CIRCUIT.pause
    for retry in retries:
        assert [type(event) for event, _ in await scene.handle(retry)] == [MediaForget]
    assert cache.newly_hidden()[1:] == [photo.sha256 for photo in photos]


async def test_a_cache_that_is_not_configured_any_more_is_forgotten(
    scene: Scene, database: Database, ann: User
) -> None:
    """Its events end."""
    photo = await ready_photo(database, ann)
    await hide(database, photo)
    assert await scene.handle(CachePurge(user_id=ann.id, cache="three", sha256s=[photo.sha256], at=1)) == []
    assert await scene.handle(MediaForget(user_id=ann.id, caches=["three"], sha256s=[photo.sha256], at=1)) == []


async def test_without_caches_nothing_is_read_or_emitted(database: Database) -> None:
    """An installation without caches only takes the events from the queue."""
    await database.close()
    await PurgeHandlers(database, Purgers(caches=[])).purge(MediaPurge(user_id=1, photos_below=MAX_ID))


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
        await account_fields.update(tx, ann.id, private=False)
    assert await scene.purges() == []
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
    assert [purge.photos_below for purge in await scene.purges()] == [MAX_ID]
    async with database.transaction() as tx:
        assert await erasure.erase(tx, ann.id)
    assert [purge.sha256s for purge in await scene.purges()] == [[second.sha256]]
