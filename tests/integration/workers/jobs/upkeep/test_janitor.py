"""The janitor deletes what is not needed any more, and nothing else."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from server.operation.metrics import Metrics
from storage.blobs.file import FileBlobs
from storage.blobs.keys import incoming_key
from storage.cache.counters import CounterCache
from storage.errors import UnavailableError
from storage.events import UserChanged
from storage.ids import encode, slot_group
from storage.limits.revocations import Revocations
from storage.limits.tickets import Tickets, revoked_key
from storage.models import ProfileImageKind, User
from storage.notifications import NotificationKind
from storage.postgres.database import Database
from storage.redis.client import open_redis
from storage.stores import idempotency
from storage.stores.accounts import account_deletion, account_fields, erasure, users
from storage.stores.credentials import sessions
from storage.stores.media import contents, profile_images, variants
from storage.stores.notifications import notifications
from storage.stores.photos import uploads
from storage.stores.photos.uploads import UploadWay
from storage.stores.social import follows
from tests.support.community import new_user, new_users, processing_photo, ready_photo, record_notification, topics
from tests.support.driver_commands import commands
from tests.support.eventually import eventually
from workers.broker.port import Policy
from workers.jobs.upkeep.counter_repair import CounterRepair
from workers.jobs.upkeep.janitor import LONGEST_DELAY, Janitor, PeriodicTask

pytestmark = pytest.mark.engines

LIFE = 900  # seconds that a revocation is kept


@pytest.fixture
def janitor(database: Database, redis: Any, tmp_path: Path) -> Janitor:
    """A janitor with an empty blob store."""
    return _janitor(database, redis, tmp_path)


def _janitor(
    database: Database, redis: Any, path: Path, metrics: Metrics | None = None, kind: type[Janitor] = Janitor
) -> Janitor:
    counters = CounterRepair(database, CounterCache(database, redis))
    return kind(database, FileBlobs(path), Revocations(database, redis, ttl=LIFE), counters, metrics)


PHOTOS_AGE = "UPDATE photos SET created_at = created_at - $1::interval"
UNINDEXED = """
    INSERT INTO users (shard, id, username, email, password_hash, display_name)
    VALUES (7, 1031, 'old', 'old', '-', 'Of an earlier version')"""
DELETIONS_AGE = "UPDATE users SET deleted_at = deleted_at - $1::interval"


async def test_keys(janitor: Janitor, database: Database) -> None:
    """Idempotency keys are deleted after 24 hours, not before."""
    ann = await new_user(database, "ann")
    for key, age in (("25 hours", 25), ("23 hours", 23), ("new", 0)):
        async with database.transaction() as tx:
            await idempotency.reserve(tx, user_id=ann.id, key=key, fingerprint="x")
            await idempotency.finish(tx, user_id=ann.id, key=key, fingerprint="x", status=201, response=b"")
            await tx.execute(
                "UPDATE idempotency_keys SET created_at = now() - make_interval(hours => $2) WHERE key = $1", key, age
            )
    assert await janitor.purge_keys() == 1
    assert {row["key"] for row in await database.fetch("SELECT key FROM idempotency_keys")} == {"23 hours", "new"}


async def test_stuck_photos(janitor: Janitor, database: Database) -> None:
    """An upload's event is emitted again after an hour in state `processing`, unless the photo is very old."""
    ann = await new_user(database, "ann")
    await processing_photo(database, ann)
    await database.fetch(PHOTOS_AGE, timedelta(hours=47))
    await processing_photo(database, ann)
    await ready_photo(database, ann)
    await database.fetch(PHOTOS_AGE, timedelta(hours=2))
    await processing_photo(database, ann)
    before = await topics(database)
    assert await janitor.requeue_stuck_photos() == 1
    assert await topics(database) == [*before, "photo.uploaded"]


async def test_outbox_after_the_clock_stepped_back(janitor: Janitor, database: Database) -> None:
    """Events that would wait for longer than any retry does are made due; those that wait for a retry keep waiting."""
    for user_id, (attempts, minutes) in enumerate(((0, 60), (0, 1), (3, 60), (3, 9), (0, -1))):
        async with database.transaction() as tx:
            tx.emit(UserChanged(user_id=user_id))
        await database.fetch(
            "UPDATE outbox SET attempts = $2, available_at = now() + make_interval(mins => $3) WHERE key = $1",
            str(user_id),
            attempts,
            minutes,
        )
    await janitor.bound_due_times()
    waiting = await database.fetch("SELECT DISTINCT key FROM outbox WHERE available_at > now()")
    assert [row["key"] for row in waiting] == ["3"]
    assert await janitor.bound_due_times() == 0


def test_longest_delay() -> None:
    """The janitor lets an event wait for the longest delay between two attempts."""
    assert LONGEST_DELAY.total_seconds() == max(Policy().backoff)


async def test_deleted_accounts(janitor: Janitor, database: Database) -> None:
    """The erasure of a deleted account is continued after the grace period."""
    (ann,) = await new_users(database, "ann")
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
        await erasure.erase(tx, ann.id)
    before = await topics(database)
    assert await janitor.queue_erasures() == 0
    await database.fetch(DELETIONS_AGE, timedelta(hours=1))
    assert await janitor.queue_erasures() == 1
    assert await topics(database) == [*before, "account.deleted"]


async def test_tokens(janitor: Janitor, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Expired tokens and their sessions are deleted, all of them in several batches; others are not."""
    monkeypatch.setattr("workers.jobs.upkeep.janitor._BATCH", 2)
    ann, now = await new_user(database, "ann"), datetime.now(UTC)
    async with database.transaction() as tx:
        for number, days in enumerate((-1, -1, -1, -1, -1, 1)):
            await sessions.open(tx, ann.id, token_sha256=b"%d" % number, expires_at=now + timedelta(days=days))
    assert await janitor.purge_tokens() == 5
    assert await janitor.purge_tokens() == 0
    assert await database.fetchval("SELECT count(*) FROM sessions") == 1


async def test_every_kind_of_leftover_has_a_task(janitor: Janitor, database: Database, tmp_path: Path) -> None:
    """The tasks together delete or repair everything that a crash, an outage or the time leaves behind."""
    ann, bob, cat, dan = await new_users(database, "ann", "bob", "cat", "dan")
    await ready_photo(database, ann, tags=["sea"])
    await processing_photo(database, ann)
    async with database.transaction() as tx:
        await account_deletion.schedule(tx, dan.id, grace=timedelta(0))
    async with database.transaction() as tx:
        ended = await sessions.open(tx, ann.id, token_sha256=b"1", expires_at=datetime.now(UTC) - timedelta(days=1))
        await idempotency.reserve(tx, user_id=ann.id, key="k", fingerprint="x")
        await contents.acquire(tx, sha256="a" * 64, size=1, content_type="image/jpeg", ttl=timedelta(0))
        await profile_images.create(
            tx, user_id=ann.id, kind=ProfileImageKind.AVATAR, sha256="b" * 64, content_type="image/jpeg", size=1
        )
        await uploads.create(tx, user_id=ann.id, way=UploadWay.TUS, size=1, ttl=timedelta(0))
        await follows.follow(tx, bob.id, ann.id)
        await users.remove(tx, bob.id)
        await erasure.erase(tx, bob.id)
        await sessions.revoke(tx, ann.id, ended)
        await record_notification(
            tx, recipient_id=ann.id, kind=NotificationKind.FOLLOW, actor_id=cat.id, photo_id=None, source_id=cat.id
        )
        await tx.execute(UNINDEXED)
        await tx.execute("UPDATE notifications SET people = 7")
        await tx.execute("UPDATE users SET following = 7")
        await account_fields.update(tx, cat.id, username="cathy")
        await tx.execute("UPDATE former_usernames SET kept_until = now() - interval '1 day'")
        await tx.execute("UPDATE idempotency_keys SET created_at = now() - interval '2 days'")
        await tx.execute("UPDATE outbox SET available_at = now() + interval '1 day'")
    async with database.transaction() as tx:
        await variants.record(tx, "c" * 64, recipe=1, sizes={"640.webp": 1})
    await database.fetch("UPDATE variants SET last_used = last_used - 31")
    await database.fetch(DELETIONS_AGE, timedelta(hours=1))
    await database.fetch(PHOTOS_AGE, timedelta(hours=2))
    await database.fetch("UPDATE profile_images SET created_at = created_at - interval '2 hours'")
    unclaimed = tmp_path / incoming_key(encode(1))
    unclaimed.parent.mkdir(parents=True)
    unclaimed.write_bytes(b"whole")
    os.utime(unclaimed, (0, 0))
    unfinished = tmp_path / "tmp" / "upload"
    unfinished.parent.mkdir(exist_ok=True)
    unfinished.write_bytes(b"half")
    os.utime(unfinished, (0, 0))
    assert {task.name for task in janitor.tasks() if await task.work() == 0} == set()
    assert not unfinished.exists()


async def test_revocations(janitor: Janitor, database: Database, redis: Any) -> None:
    """After a loss of Redis' data the revocations of ended sessions are restored, with their remaining TTL."""
    ann, tickets = await new_user(database, "ann"), Tickets(redis)
    expiry = datetime.now(UTC) + timedelta(days=1)
    async with database.transaction() as tx:
        names = [await sessions.open(tx, ann.id, token_sha256=token, expires_at=expiry) for token in (b"1", b"2", b"3")]
        for name in names[:2]:
            await sessions.revoke(tx, ann.id, name)
        await tx.execute(
            "UPDATE sessions SET revoked_at = now() - $2::interval WHERE id = $1", names[1], timedelta(seconds=LIFE)
        )
    assert await janitor.revocations.restore() == 1
    assert [await tickets.is_revoked(name, ann.id) for name in names] == [True, False, False]
    assert LIFE - 10 < await commands(redis).ttl(revoked_key(names[0], ann.id)) <= LIFE
    assert await janitor.revocations.restore() == 0
    await commands(redis).flushall()
    assert await janitor.revocations.restore() == 1


async def test_revocations_of_some_users(janitor: Janitor, database: Database, redis: Any) -> None:
    """Only the revocations of the slot groups that were lost are restored; without a loss no query is made."""
    ann, tickets = await new_user(database, "ann"), Tickets(redis)
    other = next(user for user in [await new_user(database, f"u{n}") for n in range(9)] if _group(user) != _group(ann))
    expiry = datetime.now(UTC) + timedelta(days=1)
    for user in (ann, other):
        async with database.transaction() as tx:
            name = await sessions.open(tx, user.id, token_sha256=str(user.id).encode(), expires_at=expiry)
            await sessions.revoke(tx, user.id, name)
    assert await janitor.revocations.restore() == 2
    await commands(redis).delete(f"revocations:{{{_group(ann)}}}")
    assert await janitor.revocations.restore() == 1
    assert await Revocations(cast(Any, None), redis, ttl=LIFE).restore() == 0
    assert await tickets.is_revoked(name, other.id)


async def test_revocations_without_redis(database: Database) -> None:
    """The janitor tries again after an outage."""
    unreachable = open_redis("unix:///nonexistent/redis.sock")
    with pytest.raises(UnavailableError):
        await Revocations(database, unreachable, ttl=LIFE).restore()
    await unreachable.aclose()


def _group(user: User) -> int:
    return slot_group(user.id)


async def test_revocations_after_the_clock_stepped_back(janitor: Janitor, database: Database, redis: Any) -> None:
    """A revocation that PostgreSQL dates in the future is restored for its usual TTL, and no longer."""
    ann = await new_user(database, "ann")
    async with database.transaction() as tx:
        name = await sessions.open(tx, ann.id, token_sha256=b"1", expires_at=datetime.now(UTC) + timedelta(days=1))
        await tx.execute("UPDATE sessions SET revoked_at = now() + interval '1 hour' WHERE id = $1", name)
    assert await janitor.revocations.restore() == 1
    assert LIFE - 10 < await commands(redis).ttl(revoked_key(name, ann.id)) <= LIFE


async def test_run(database: Database, tmp_path: Path) -> None:
    """Every task runs at the start and after each period, even if another one fails; all runs are counted."""
    metrics = Metrics()
    done: list[str] = []

    class Two(Janitor):
        def tasks(self) -> list[PeriodicTask]:
            return [
                PeriodicTask(name="away", period=0.01, work=self.fail),
                PeriodicTask(name="good", period=0.01, work=self.succeed),
            ]

        async def fail(self) -> int:
            done.append("away")
            raise UnavailableError("database", "down")

        async def succeed(self) -> int:
            done.append("good")
            return 2

    janitor = _janitor(database, open_redis("redis://unused"), tmp_path, metrics, Two)
    task = asyncio.create_task(janitor.run())
    await eventually(lambda: done.count("away") > 1 and done.count("good") > 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    value = metrics.registry.get_sample_value
    counted = [
        value("picshare_periodic_task_runs_total", {"task": name, "outcome": outcome})
        for name, outcome in (("away", "failed"), ("good", "done"))
    ]
    assert counted == [done.count("away"), done.count("good")]
    assert value("picshare_periodic_task_items_total", {"task": "good"}) == 2 * done.count("good")


async def test_what_a_task_has_done_is_logged(database: Database, tmp_path: Path) -> None:
    """A run that has deleted or repaired something is logged with its number and its time, and no other run."""

    class Two(Janitor):
        def tasks(self) -> list[PeriodicTask]:
            return [
                PeriodicTask(name="idle", period=3600, work=self.find_nothing),
                PeriodicTask(name="busy", period=3600, work=self.work),
            ]

        async def find_nothing(self) -> int:
            return 0

        async def work(self) -> int:
            await asyncio.sleep(0.05)
            return 2

    janitor = _janitor(database, open_redis("redis://unused"), tmp_path, kind=Two)
    with capture_logs() as logs:
        started = time.monotonic()
        task = asyncio.create_task(janitor.run())
        await eventually(lambda: bool(logs))
        elapsed = time.monotonic() - started
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [(entry["event"], entry["task"], entry["count"]) for entry in logs] == [("periodic_task_done", "busy", 2)]
    assert 0 < logs[0]["duration_ms"] <= elapsed * 1000


async def test_notifications_whose_actors_are_wrong_are_repaired(
    database: Database, redis: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong number of actors and wrong newest actors are found, corrected and counted; others are left alone."""
    monkeypatch.setattr("workers.jobs.upkeep.janitor._ENTRIES", 2)
    ann, *fans = await new_users(database, "ann", "bob", "cat", "dan", "eve")
    entries = []
    for _ in range(5):
        photo = await ready_photo(database, ann)
        for fan in fans:
            async with database.transaction() as tx:
                entry = await record_notification(
                    tx,
                    recipient_id=ann.id,
                    kind=NotificationKind.LIKE,
                    actor_id=fan.id,
                    photo_id=photo.id,
                    source_id=photo.id,
                )
        assert entry is not None
        entries.append(entry)
    metrics = Metrics()
    janitor = _janitor(database, redis, tmp_path, metrics)
    assert await janitor.repair_notifications() == 0
    for statement, entry in (
        ("UPDATE notifications SET people = people + 1 WHERE id = $1", entries[0]),
        ("UPDATE notifications SET newest_actors = newest_actors[2:3] WHERE id = $1", entries[2]),
        ("DELETE FROM notification_actors WHERE notification_id = $1", entries[4]),
    ):
        await database.fetch(statement, entry.id)
    assert await janitor.repair_notifications() == 3
    left = await notifications.inbox(database, ann.id, before=None, limit=9)
    assert [(entry.id, entry.actors, entry.count) for entry in reversed(left)] == [
        (entry.id, entry.actors, 4) for entry in entries[:4]
    ]
    assert [entry.silent for entry in reversed(left)] == [True, False, True, False]
    assert await janitor.repair_notifications() == 0
    assert b"picshare_notifications_repaired_total 3.0" in metrics.render()
