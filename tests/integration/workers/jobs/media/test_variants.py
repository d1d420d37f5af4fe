"""Variants on request: made once for all that ask, also in several processes, and deleted when unused."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from server.media.variant_requests import VariantRequests, VariantResult
from server.media.variant_use import VariantUse
from storage import events
from storage.blobs.file import FileBlobs
from storage.blobs.keys import original_key, variant_key
from storage.blobs.variants import Variant, VariantRegistry
from storage.cache.counters import CounterCache
from storage.cache.variant_states import VariantStates
from storage.events import VariantWanted
from storage.limits.revocations import Revocations
from storage.models import Photo
from storage.postgres.database import Database
from storage.redis.client import Redis, open_redis
from storage.stores.media.variants import REFUSED_DAYS, StoredVariant
from storage.stores.photos import photo_deletion, photo_processing
from tests.support.broker_kits import QUICK, consuming
from tests.support.community import new_user
from tests.support.driver_commands import commands
from tests.support.eventually import eventually
from tests.support.objects import has
from tests.support.originals import LEASES_AGE, NOTHING, CrashError, CrashingBlobs, post, remains
from workers.broker.local import LocalBroker
from workers.broker.port import Message
from workers.broker.routing import queues_of
from workers.images.decode import ImageRejectedError
from workers.images.pool import Decoder
from workers.jobs.media.contents import ContentRemover
from workers.jobs.media.variants import VariantHandlers
from workers.jobs.upkeep.counter_repair import CounterRepair
from workers.jobs.upkeep.janitor import Janitor

pytestmark = pytest.mark.engines

REGISTRY = VariantRegistry()
DATA = b"\xff\xd8\xff original"
SHA256 = hashlib.sha256(DATA).hexdigest()
USE_AGES = "UPDATE variants SET last_used = last_used - $1::integer"


def variant(name: str) -> Variant:
    """Return a variant of the registry."""
    found = REGISTRY.find(name)
    assert found is not None
    return found


def stored(name: str) -> StoredVariant:
    """Return the row of a variant."""
    return StoredVariant(sha256=SHA256, recipe=1, name=name)


class StubDecoder(Decoder):
    """A decoder that makes something up, once it may; `calls` are the names of what it was asked for."""

    def __init__(self) -> None:
        super().__init__(processes=1)
        self.calls: list[list[str]] = []
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.reason: str | None = None

    async def make(self, original: Path, variants: Sequence[Variant], *, rights: bool = False) -> Mapping[str, bytes]:
        """Return the name of each variant as its bytes, or reject the image."""
        assert original.read_bytes() == DATA
        self.calls.append([one.name for one in variants])
        await self.may_end.wait()
        if self.reason is not None:
            raise ImageRejectedError(self.reason)
        return {one.name: one.name.encode() for one in variants}


@dataclass
class Scene:
    """A stored original of a ready photo, and the worker's handlers on it."""

    database: Database
    redis: Redis
    blobs: FileBlobs
    photo: Photo
    decoder: StubDecoder = field(default_factory=StubDecoder)

    def process(self, redis: Redis | None = None, *, timeout: float = 10.0) -> VariantRequests:
        """Return the requests of an API process."""
        return VariantRequests(self.database, self.blobs, REGISTRY, VariantStates(redis or self.redis), timeout=timeout)

    def handlers(self, redis: Redis | None = None, blobs: FileBlobs | None = None) -> VariantHandlers:
        """Return the handlers of a worker process."""
        states = VariantStates(redis or self.redis)
        return VariantHandlers(self.database, blobs or self.blobs, self.decoder, REGISTRY, states)

    @asynccontextmanager
    async def worker(self, dsn: str, redis: Redis | None = None) -> AsyncIterator[None]:
        """Consume the queue "variants" during the block."""
        handlers = self.handlers(redis).handlers()

        async def handle(message: Message) -> None:
            await handlers[message.topic](events.decode(message.topic, message.body))

        async with AsyncExitStack() as stack:
            claims = await Database.connect(dsn, routes=queues_of, min_size=1, max_size=8)
            stack.push_async_callback(claims.close)
            await stack.enter_async_context(consuming(LocalBroker(claims), "variants", handle, QUICK))
            yield

    async def has(self, name: str) -> bool:
        """Return whether a variant is stored."""
        return await has(self.blobs, variant_key(SHA256, 1, name))

    async def emitted(self) -> int:
        """Return how many events are waiting for the workers."""
        count: int = await self.database.fetchval("SELECT count(*) FROM outbox WHERE queue = 'variants'")
        return count

    async def rows(self) -> dict[str, int]:
        """Return the recorded variants and their bytes."""
        found = await self.database.fetch("SELECT name, bytes FROM variants")
        return {row["name"]: row["bytes"] for row in found}

    async def delete(self) -> None:
        """Delete the photo and handle its deletion."""
        async with self.database.transaction() as tx:
            await photo_deletion.delete(tx, self.photo.id, author_id=self.photo.author.id)
        await ContentRemover(self.database, self.blobs).remove(self.photo.sha256)

    def janitor(self, unused_days: int = 30) -> Janitor:
        """Return a janitor."""
        revocations = Revocations(self.database, self.redis, ttl=900)
        counters = CounterRepair(self.database, CounterCache(self.database, self.redis))
        return Janitor(self.database, self.blobs, revocations, counters, unused_days=unused_days)


WANTED = VariantWanted(sha256=SHA256, recipe=1, name="640.webp")


@pytest.fixture
async def scene(database: Database, redis: Any, tmp_path: Path) -> Scene:
    """A scene without any variant."""
    blobs = FileBlobs(tmp_path)
    author = await new_user(database, "ann")
    photo = await post(database, blobs, author, DATA)
    async with database.transaction() as tx:
        assert await photo_processing.mark_ready(tx, photo.id, width=4, height=3, placeholder=None, exif=None)
        await tx.execute("DELETE FROM outbox")
    return Scene(database, redis, blobs, photo)


async def test_fifty_requests_in_two_processes_are_one_encode(scene: Scene, database_dsn: str, redis_url: str) -> None:
    """All that ask for a variant at once wait for the same one, whichever process they ask."""
    other = open_redis(redis_url)
    processes = [scene.process(), scene.process(other)]
    scene.decoder.may_end.clear()
    async with scene.worker(database_dsn):
        asked = [asyncio.create_task(processes[n % 2].obtain(SHA256, variant("640.webp"))) for n in range(50)]
        await eventually(lambda: scene.decoder.calls)
        scene.decoder.may_end.set()
        results = await asyncio.gather(*asked)
    assert scene.decoder.calls == [["640.webp"]]
    assert sorted(results) == ["made", *["waited"] * 49]
    assert await scene.has("640.webp")
    assert await scene.rows() == {"640.webp": len("640.webp")}
    await other.aclose()


async def test_a_client_that_goes_away_does_not_end_the_request_of_others(scene: Scene, database_dsn: str) -> None:
    """The first one that asks is cancelled; the second one, which shares its request, gets the variant."""
    requests = scene.process()
    first, second = (asyncio.create_task(requests.obtain(SHA256, variant("640.webp"))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    async with scene.worker(database_dsn):
        assert await second is VariantResult.WAITED
    assert first.cancelled()


async def test_without_redis_each_process_asks_once(scene: Scene, database_dsn: str) -> None:
    """While Redis is away, a process emits one event for all its requests, and finds the variant in the store."""
    nowhere = open_redis("redis://127.0.0.1:1")
    processes = [scene.process(nowhere), scene.process(nowhere)]
    asked = [asyncio.create_task(processes[n % 2].obtain(SHA256, variant("640.webp"))) for n in range(20)]

    async def have_asked() -> bool:
        return await scene.emitted() == 2

    await eventually(have_asked)
    async with scene.worker(database_dsn, nowhere):
        results = await asyncio.gather(*asked)
    assert scene.decoder.calls == [["640.webp"]]
    assert set(results) == {"made", "waited"}
    await nowhere.aclose()


async def test_a_claim_that_is_lost_is_made_again(scene: Scene, database_dsn: str) -> None:
    """If Redis loses its data after the event was lost, too, the process that waits asks again."""
    asked = asyncio.create_task(scene.process().obtain(SHA256, variant("640.webp")))

    async def has_asked() -> bool:
        return await scene.emitted() == 1

    await eventually(has_asked)
    await scene.database.fetch("DELETE FROM outbox")
    await commands(scene.redis).flushall()
    async with scene.worker(database_dsn):
        assert await asked is VariantResult.MADE


async def test_what_takes_too_long_is_made_all_the_same(scene: Scene, database_dsn: str) -> None:
    """A request ends after its timeout; the variant is there for a later one."""
    scene.decoder.may_end.clear()
    async with scene.worker(database_dsn):
        assert await scene.process(timeout=0.05).obtain(SHA256, variant("640.webp")) is VariantResult.LATE
        scene.decoder.may_end.set()
        assert await scene.process().obtain(SHA256, variant("640.webp")) in {VariantResult.MADE, VariantResult.WAITED}
    assert scene.decoder.calls == [["640.webp"]]


async def test_a_request_that_was_not_emitted_keeps_no_other_waiting(scene: Scene) -> None:
    """If the database does not take the event before the timeout, the next request can emit it at once."""
    states = VariantStates(scene.redis)

    class Stalled:
        fetchrow, fetchval = scene.database.fetchrow, scene.database.fetchval

        @asynccontextmanager
        async def transaction(self) -> AsyncIterator[None]:
            await asyncio.Event().wait()
            yield

    requests = VariantRequests(cast(Database, Stalled()), scene.blobs, REGISTRY, states, timeout=0.2)
    assert await requests.obtain(SHA256, variant("640.webp")) is VariantResult.LATE
    assert await states.claim(f"{SHA256}/640.webp") is None


async def test_a_process_waits_for_a_bounded_number_of_variants(scene: Scene, database_dsn: str) -> None:
    """Beyond the bound a request is late at once and emits nothing; those for variants already waited for join them."""
    requests = VariantRequests(scene.database, scene.blobs, REGISTRY, VariantStates(scene.redis), max_waiting=1)
    first, same = (asyncio.create_task(requests.obtain(SHA256, variant("640.webp"))) for _ in range(2))
    await asyncio.sleep(0)
    assert await requests.obtain(SHA256, variant("640.avif")) is VariantResult.LATE
    async with scene.worker(database_dsn):
        assert [await first, await same] == ["made", "waited"]
        assert await requests.obtain(SHA256, variant("640.avif")) is VariantResult.MADE
    assert scene.decoder.calls == [["640.webp"], ["640.avif"]]


async def test_a_refusal_is_remembered(scene: Scene, database_dsn: str) -> None:
    """An image that cannot be decoded is not decoded again at every request, not even without Redis' memory of it."""
    scene.decoder.reason = "the picture is damaged"
    async with scene.worker(database_dsn):
        for _ in range(3):
            assert await scene.process().obtain(SHA256, variant("640.webp")) is VariantResult.REFUSED
            await commands(scene.redis).flushall()
        assert len(scene.decoder.calls) == 1
        await scene.database.fetch(USE_AGES, REFUSED_DAYS + 1)
        scene.decoder.reason = None
        assert await scene.process().obtain(SHA256, variant("640.webp")) is VariantResult.MADE
    assert await scene.rows() == {"640.webp": len("640.webp")}


async def test_eager_variants_of_an_older_installation_are_made_together(scene: Scene, database_dsn: str) -> None:
    """A request for one missing eager variant makes all that are missing; they are never deleted as unused."""
    await scene.blobs.put(variant_key(SHA256, 1, "320.jpg"), b"there", content_type="image/jpeg")
    async with scene.worker(database_dsn):
        assert await scene.process().obtain(SHA256, variant("1080.webp")) is VariantResult.MADE
    assert scene.decoder.calls == [["320.webp", "1080.jpg", "1080.webp"]]
    assert [await scene.has(name) for name in REGISTRY.eager] == [True] * 4
    assert await scene.rows() == {}


async def test_an_original_that_is_missing_is_not_waited_for(scene: Scene, database_dsn: str) -> None:
    """A lost original is no refusal: it may come back, and meanwhile nobody waits."""
    await scene.blobs.delete([original_key(SHA256)])
    async with scene.worker(database_dsn):
        assert await scene.process(timeout=60).obtain(SHA256, variant("640.webp")) is VariantResult.LATE
        assert await scene.rows() == {}
        await scene.blobs.put(original_key(SHA256), DATA, content_type="image/jpeg")
        await commands(scene.redis).flushall()
        assert await scene.process().obtain(SHA256, variant("640.webp")) is VariantResult.MADE


async def test_events_of_other_settings_are_ignored(scene: Scene) -> None:
    """A size that this process does not know, or another recipe, makes nothing."""
    for event in (
        VariantWanted(sha256=SHA256, recipe=2, name="640.webp"),
        VariantWanted(sha256=SHA256, recipe=1, name="9.jpg"),
    ):
        await scene.handlers().wanted(event)
    assert scene.decoder.calls == []


@pytest.mark.parametrize("moment", ["before", "during", "after"])
async def test_a_crash_while_storing_leaves_nothing_behind(scene: Scene, tmp_path: Path, moment: str) -> None:
    """After a crash the repeated event makes the variant; and once the photo is deleted nothing of it is left."""
    with pytest.raises(CrashError):
        await scene.handlers(blobs=CrashingBlobs(tmp_path, moment)).wanted(WANTED)
    await scene.handlers().wanted(WANTED)
    assert await scene.has("640.webp")
    await scene.delete()
    await scene.database.fetch(LEASES_AGE, timedelta(hours=2))
    await scene.janitor().remove_contents()
    for path in scene.blobs.temporary.glob("*"):
        path.unlink()
    assert await remains(scene.database, scene.blobs) == NOTHING
    assert await scene.rows() == {}


async def test_a_photo_that_is_deleted_meanwhile_leaves_nothing(scene: Scene) -> None:
    """The lease keeps the deletion off while the variant is made, and the worker removes the content after that."""
    scene.decoder.may_end.clear()
    making = asyncio.create_task(scene.handlers().wanted(WANTED))
    await eventually(lambda: scene.decoder.calls)
    await scene.delete()
    assert await has(scene.blobs, original_key(SHA256))
    scene.decoder.may_end.set()
    await making
    assert await remains(scene.database, scene.blobs) == NOTHING
    assert await scene.rows() == {}


async def test_a_content_in_removal_gets_no_variants(scene: Scene) -> None:
    """Once the removal has begun, nothing is written any more."""
    await scene.delete()
    await scene.handlers().wanted(WANTED)
    assert scene.decoder.calls == []
    assert await remains(scene.database, scene.blobs) == NOTHING


async def test_unused_variants_are_deleted(scene: Scene) -> None:
    """Variants that nobody requested for 30 days are deleted, eager ones never; they are made again when requested."""
    for name in ("640.webp", "640.jpg", "320.jpg"):
        await scene.handlers().wanted(VariantWanted(sha256=SHA256, recipe=1, name=name))
    assert await scene.janitor().delete_unused_variants() == 0
    await scene.database.fetch(USE_AGES, 30)
    assert await scene.janitor().delete_unused_variants() == 0
    await scene.database.fetch(USE_AGES, 1)
    await VariantUse(scene.database).record(stored("640.jpg"))
    assert await scene.janitor().delete_unused_variants() == 1
    assert [await scene.has(name) for name in ("640.webp", "640.jpg", "320.jpg")] == [False, True, True]
    assert set(await scene.rows()) == {"640.jpg"}
    await scene.handlers().wanted(WANTED)
    assert await scene.has("640.webp")
    await scene.database.fetch(USE_AGES, 3)
    assert await scene.janitor(unused_days=2).delete_unused_variants() == 2


async def test_the_use_is_recorded_once_a_day(scene: Scene) -> None:
    """A process writes once a day for each variant, and a row is changed once a day for all processes."""
    await scene.handlers().wanted(WANTED)
    await scene.database.fetch(USE_AGES, 5)
    today = date(2026, 11, 28)
    use = VariantUse(scene.database, today=lambda: today)

    async def age() -> int:
        days: int = await scene.database.fetchval("SELECT current_date - last_used FROM variants")
        return days

    await use.record(stored("640.webp"))
    assert await age() == 0
    await scene.database.fetch(USE_AGES, 5)
    await use.record(stored("640.webp"))
    assert await age() == 5
    today += timedelta(days=1)
    await use.record(stored("640.webp"))
    assert await age() == 0


async def test_rows_are_deleted_with_the_content(scene: Scene) -> None:
    """The removal of an original deletes its variants and their rows."""
    await scene.handlers().wanted(WANTED)
    await scene.delete()
    assert await scene.rows() == {}
    assert await remains(scene.database, scene.blobs) == NOTHING
