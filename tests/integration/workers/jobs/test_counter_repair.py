"""The janitor's check of counters finds what is wrong, repairs it, and leaves what is right alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from server.operation.metrics import Metrics
from storage.cache.counters import CounterCache
from storage.ids import pack_ids
from storage.models import Photo, PhotoAudience, PhotoCounters, User
from storage.postgres.database import Database
from storage.stores import comments, counter_drift, follows, likes, photos
from tests.support.community import new_users, ready_photo
from tests.support.eventually import eventually
from workers.jobs import counter_repair
from workers.jobs.counter_repair import CounterRepair

pytestmark = pytest.mark.engines

COUNTERS = "SELECT likes, comments FROM photos WHERE id = $1"


class Stage:
    """Counters of a few photos, of which some can be made wrong."""

    def __init__(self, database: Database, redis: Any) -> None:
        self.database = database
        self.redis = redis
        self.cache = CounterCache(database, redis)
        self.metrics = Metrics()
        self.repair = CounterRepair(database, self.cache, self.metrics, grace=0)

    async def like(self, photo: Photo, user: User) -> PhotoCounters:
        """Like a photo, and do not apply the state to the cache."""
        async with self.database.transaction() as tx:
            return await likes.add(tx, photo_id=photo.id, user_id=user.id)

    async def numbers(self, photo: Photo) -> tuple[int, int]:
        """Return (likes, comments) of the database."""
        row = await self.database.fetchrow(COUNTERS, photo.id)
        assert row is not None
        return row["likes"], row["comments"]

    def repaired(self, kind: str) -> float:
        """Return the metric."""
        found = self.metrics.registry.get_sample_value("picshare_counters_repaired_total", {"kind": kind})
        assert found is not None
        return found


@pytest.fixture
def stage(database: Database, redis: Any) -> Stage:
    """The parts of the check."""
    return Stage(database, redis)


async def test_photos_and_accounts(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters that differ from the rows are corrected, on every page of the check, in Redis as well."""
    monkeypatch.setattr(counter_repair, "PAGE", 2)
    ann, ben, cleo = await new_users(stage.database, "ann", "ben", "cleo")
    shown = [await ready_photo(stage.database, ann) for _ in range(5)]
    for photo in shown:
        await stage.cache.apply(await stage.like(photo, ben), None)
        async with stage.database.transaction() as tx:
            await comments.add(tx, photo_id=photo.id, author_id=ben.id, text="x")
        await stage.cache.load_counts([photo.id])
    for audience in PhotoAudience:
        await ready_photo(stage.database, ann, audience=audience)
    async with stage.database.transaction() as tx:
        await follows.follow(tx, ben.id, ann.id)
    assert await stage.repair.run() == 0
    for change, identifier in (
        ("UPDATE photos SET likes = likes + 3 WHERE id = $1", shown[0].id),
        ("UPDATE photos SET comments = 0 WHERE id = $1", shown[4].id),
        ("UPDATE users SET followers = 7, photos = 9 WHERE id = $1", ann.id),
        ("UPDATE users SET following = following - 1 WHERE id = $1", ben.id),
        ("UPDATE users SET photos = 1 WHERE id = $1", cleo.id),
    ):
        await stage.database.fetch(change, identifier)
    assert await stage.repair.run() == 5
    assert [await stage.numbers(photo) for photo in shown] == [(1, 1)] * 5
    assert [await stage.cache.counts(photo.id) for photo in shown] == [(1, 1)] * 5
    rows = await stage.database.fetch("SELECT followers, following, photos FROM users ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [(1, 0, 5 + 2), (0, 1, 0), (0, 0, 0)]
    assert [stage.repaired(kind) for kind in ("photo", "account", "cache")] == [2, 3, 0]
    assert await stage.repair.run() == 0


async def test_a_repaired_counter_has_a_new_version(stage: Stage) -> None:
    """A state from before the repair that arrives late does not bring the wrong number back."""
    ann, ben = await new_users(stage.database, "ann", "ben")
    photo = await ready_photo(stage.database, ann)
    await stage.like(photo, ben)
    await stage.database.fetch("UPDATE photos SET likes = 9 WHERE id = $1", photo.id)
    late = (await photos.load(stage.database, [photo.id]))[photo.id]
    assert await stage.repair.run() == 1
    await stage.cache.apply(
        PhotoCounters(photo_id=photo.id, liked=False, likes=9, comments=0, version=late.version, changed=True), None
    )
    assert await stage.cache.counts(photo.id) == (1, 0)


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(b"1 5 0 ", id="another number of the same version"),
        pytest.param(b"0 0 0 ", id="a lost change"),
        pytest.param(b"99 1 0 ", id="newer than the database, which was restored from a backup"),
    ],
)
async def test_cache(stage: Stage, stored: bytes) -> None:
    """Counters in Redis that the primary contradicts are deleted, so that the next reader loads them."""
    ann, ben = await new_users(stage.database, "ann", "ben")
    photo = await ready_photo(stage.database, ann)
    state = await stage.like(photo, ben)
    assert state.version == 1
    await stage.redis.execute_command("SET", b"count:" + pack_ids([photo.id]), stored)
    assert await stage.repair.run() == 1
    assert await stage.cache.counts(photo.id) == (1, 0)
    assert stage.repaired("cache") == 1


async def test_changes_under_way(stage: Stage) -> None:
    """A change that reaches Redis after the database was read is not taken for a difference."""
    ann, ben, cleo = await new_users(stage.database, "ann", "ben", "cleo")
    late, next_one = [await ready_photo(stage.database, ann) for _ in range(2)]
    await stage.cache.load_counts([late.id, next_one.id])
    state = await stage.like(late, ben)
    checked = await counter_drift.check_photos(stage.database, after=0, limit=9)
    await stage.cache.apply(state, ben.id)
    await stage.cache.apply(await stage.like(next_one, cleo), cleo.id)
    assert await stage.cache.forget_wrong(checked.counters, grace=0) == 0
    assert await stage.redis.execute_command("EXISTS", b"count:" + pack_ids([next_one.id])) == 1


async def test_a_like_under_way(stage: Stage) -> None:
    """A like that waits for the repair is counted once, by itself."""
    ann, ben = await new_users(stage.database, "ann", "ben")
    photo = await ready_photo(stage.database, ann)
    await stage.database.fetch("UPDATE photos SET likes = 5 WHERE id = $1", photo.id)
    async with stage.database.transaction() as tx:
        correct = await counter_drift.repair_photo(tx, photo.id)
        liking = asyncio.create_task(stage.like(photo, ben))
        await eventually(lambda: _waits_for_a_lock(stage.database))
    assert correct is not None
    assert correct.likes == 0
    assert (await liking).likes == 1
    assert await stage.numbers(photo) == (1, 0)


async def test_a_like_before_the_repair(stage: Stage) -> None:
    """The repair waits for a like under way, and counts it."""
    ann, ben = await new_users(stage.database, "ann", "ben")
    photo = await ready_photo(stage.database, ann)
    await stage.database.fetch("UPDATE photos SET likes = 5 WHERE id = $1", photo.id)
    async with stage.database.transaction() as tx:
        await likes.add(tx, photo_id=photo.id, user_id=ben.id)
        repairing = asyncio.create_task(stage.repair.run())
        await eventually(lambda: _waits_for_a_lock(stage.database))
    assert await repairing == 1
    assert await stage.numbers(photo) == (1, 0)


async def _waits_for_a_lock(database: Database) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return bool(await database.fetchval(waiting))
