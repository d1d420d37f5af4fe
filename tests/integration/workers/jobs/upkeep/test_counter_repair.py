"""The janitor's check of counters finds what is wrong, repairs it, and leaves what is right alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from server.operation.metrics import Metrics
from storage.cache.counters import CounterCache
from storage.cache.photo_trends import PhotoTrends
from storage.ids import milliseconds_of, pack_ids
from storage.models import Photo, PhotoAudience, PhotoCounters, User
from storage.postgres.database import Database
from storage.stores.comments import comments
from storage.stores.discovery import photo_trends
from storage.stores.photos import counter_drift, likes, photos
from storage.stores.social import follows
from storage.trends import NEW_ACCOUNT
from tests.support.community import new_user, new_users, old_users, ready_photo
from tests.support.eventually import eventually
from workers.jobs.upkeep import counter_repair
from workers.jobs.upkeep.counter_repair import CounterRepair

pytestmark = pytest.mark.engines

BOUNDARY = "UPDATE likes SET created_at = to_timestamp($1 / 1000.0) + $2::interval WHERE user_id = $3"
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

    async def trend(self, photo: Photo) -> int:
        """Return the likes that count for the ranking."""
        found: int = await self.database.fetchval("SELECT trend_likes FROM photos WHERE id = $1", photo.id)
        return found

    async def score(self, photo: Photo) -> float | None:
        """Return the score in Redis."""
        return dict(await PhotoTrends(self.redis).ranking()).get(photo.id)

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
    assert [stage.repaired(kind) for kind in ("photo", "trend", "account", "cache")] == [2, 0, 3, 0]
    assert await stage.repair.run() == 0


@pytest.mark.parametrize("damaged", [0, 1, 40])
async def test_likes_that_count_for_the_ranking(stage: Stage, damaged: int) -> None:
    """Those of others whose accounts were a day old are counted again, and the score in Redis follows."""
    (ann, *fans), new = await old_users(stage.database, "ann", "ben", "cleo"), await new_user(stage.database, "new")
    photo, other = [await ready_photo(stage.database, ann) for _ in range(2)]
    for user in (ann, *fans, new):
        await stage.like(photo, user)
    state = await photo_trends.counters(stage.database, photo_id=photo.id, user_id=ann.id)
    await stage.cache.apply(state, None)
    score = await stage.score(photo)
    assert score is not None
    assert await stage.repair.run() == 0

    await stage.database.fetch("UPDATE photos SET trend_likes = $2 WHERE id = $1", photo.id, damaged)
    await stage.cache.apply(await photo_trends.counters(stage.database, photo_id=photo.id, user_id=ann.id), None)
    assert await stage.score(photo) != score
    assert await stage.repair.run() == 1
    assert await stage.trend(photo) == len(fans)
    assert await stage.score(photo) == score
    assert await stage.score(other) is None
    assert [stage.repaired(kind) for kind in ("trend", "photo", "cache")] == [1, 0, 0]
    # Both at once are one photo, and are counted for each kind.
    await stage.database.fetch("UPDATE photos SET trend_likes = 9, likes = 9 WHERE id = $1", photo.id)
    assert await stage.repair.run() == 1
    assert [stage.repaired(kind) for kind in ("trend", "photo", "cache")] == [2, 1, 0]
    assert await stage.repair.run() == 0


async def test_the_age_of_an_account_is_compared_as_by_a_like(stage: Stage) -> None:
    """A like at the very moment at which the likes of its user begin to count is one that counts, and none before."""
    (ann,), new = await old_users(stage.database, "ann"), await new_user(stage.database, "new")
    photo = await ready_photo(stage.database, ann)
    await stage.like(photo, new)
    for age, counted in ((NEW_ACCOUNT - timedelta(microseconds=1), 0), (NEW_ACCOUNT, 1)):
        await stage.database.fetch(BOUNDARY, milliseconds_of(new.id), age, new.id)
        await stage.repair.run()
        assert await stage.trend(photo) == counted
    async with stage.database.transaction() as tx:
        await likes.remove(tx, photo_id=photo.id, user_id=new.id)
    assert await stage.trend(photo) == 0


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
    assert correct.counters
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
