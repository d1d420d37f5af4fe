"""What is old is deleted in batches, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from storage.events import UserChanged
from storage.notifications import NotificationKind
from storage.postgres import outbox
from storage.postgres.database import Database
from storage.stores import idempotency
from storage.stores.notifications import notification_retention
from tests.support.community import new_users, ready_photo, record_notification
from workers.jobs.upkeep.retention import Retention

pytestmark = pytest.mark.engines

DAY = 86_400.0


async def test_old_notifications(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their actors, however many, in several batches; those that are not old enough stay."""
    monkeypatch.setattr("workers.jobs.upkeep.retention._BATCH", 2)
    ann, *others = await new_users(database, "ann", "bob", "cat", "dan", "eve")
    for photo in (await ready_photo(database, ann), await ready_photo(database, ann)):
        for other in others:
            async with database.transaction() as tx:
                await record_notification(
                    tx,
                    recipient_id=ann.id,
                    kind=NotificationKind.LIKE,
                    actor_id=other.id,
                    photo_id=photo.id,
                    source_id=photo.id,
                )
    for days, deleted in ((364, 0), (366, 10)):
        retention = Retention(database, notification_days=365, dead_letter_days=0, clock=_in(days))
        assert await retention.purge_notifications() == deleted
    assert await database.fetchval("SELECT count(*) FROM notification_actors") == 0
    kept = Retention(database, notification_days=0, dead_letter_days=0, clock=_in(9999))
    assert await kept.purge_notifications() == 0


async def test_a_batch_of_notifications_has_a_limit(database: Database) -> None:
    """It deletes no more rows than it is told."""
    ann, *others = await new_users(database, "ann", "bob", "cat", "dan")
    photo = await ready_photo(database, ann)
    for other in others:
        async with database.transaction() as tx:
            await record_notification(
                tx,
                recipient_id=ann.id,
                kind=NotificationKind.LIKE,
                actor_id=other.id,
                photo_id=photo.id,
                source_id=photo.id,
            )
    for deleted in (2, 2, 0):
        async with database.transaction() as tx:
            now = time.time() + 2 * DAY
            assert await notification_retention.purge(tx, older_than=timedelta(days=1), now=now, limit=2) == deleted


async def test_old_dead_letters(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in the database, by the time of their last attempt; with 0 days all stay."""
    monkeypatch.setattr("workers.jobs.upkeep.retention._BATCH", 2)
    for user_id in range(5):
        async with database.transaction() as tx:
            tx.emit(UserChanged(user_id=user_id))
    async with database.transaction() as tx:
        for row in await tx.fetch("SELECT id FROM outbox"):
            await outbox.dead_letter(tx, row["id"], "bad")
        await tx.execute("UPDATE dead_letters SET died_at = died_at - interval '91 days' WHERE key <> '0'")
    old = await database.fetchval("SELECT count(*) FROM dead_letters WHERE key <> '0'")
    assert await Retention(database, notification_days=0, dead_letter_days=0).purge_dead_letters() == 0
    retention = Retention(database, notification_days=0, dead_letter_days=90)
    assert await retention.purge_dead_letters() == old
    assert await database.fetchval("SELECT count(*) FROM dead_letters WHERE key <> '0'") == 0
    assert await database.fetchval("SELECT count(*) FROM dead_letters") > 0


async def test_a_batch_of_idempotency_keys_has_a_limit(database: Database) -> None:
    """Those that are old enough are deleted, one batch after the other."""
    (ann,) = await new_users(database, "ann")
    async with database.transaction() as tx:
        for key in "abcd":
            await idempotency.reserve(tx, user_id=ann.id, key=key, fingerprint="x")
        await tx.execute("UPDATE idempotency_keys SET created_at = now() - interval '2 hours' WHERE key <> 'd'")
    for deleted in (2, 1, 0):
        async with database.transaction() as tx:
            assert await idempotency.purge(tx, timedelta(hours=1), limit=2) == deleted
    assert await database.fetchval("SELECT key FROM idempotency_keys") == "d"


def _in(days: float) -> Callable[[], float]:
    """Return a clock that is ahead."""
    now = time.time() + days * DAY
    return lambda: now
