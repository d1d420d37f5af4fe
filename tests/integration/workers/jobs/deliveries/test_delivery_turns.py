"""Turns of workers at due deliveries: attempts, leases, fairness, digests, and what is kept."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage.deliveries import DeliveryChannel, Limits
from storage.errors import UnavailableError
from storage.models import User
from storage.stores.notifications import deliveries, delivery_claims, notification_preferences
from storage.stores.notifications.notification_preferences import DigestFrequency
from tests.support.community import ready_photo
from tests.support.deliveries import Deliveries, comment, users_with_devices
from tests.support.eventually import eventually
from tests.support.inboxes import inbox_of
from tests.support.stage import Stage
from workers.deliveries.port import SendOutcome, Sent
from workers.jobs.upkeep.delivery_retention import DeliveryRetention

pytestmark = pytest.mark.engines


@pytest.fixture
def worker(stage: Stage) -> Deliveries:
    """The worker, with three pushes an hour, so that a few are many. All users have devices and addresses."""
    return Deliveries(stage.database, limits=Limits(pushes_per_hour=3))


async def test_attempts_that_fail(stage: Stage, worker: Deliveries) -> None:
    """A failed attempt is repeated after a pause, five times at most; a device that is gone is not asked again."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    failed = Sent(outcome=SendOutcome.FAILED, error="no response")
    worker.push.results.extend([failed] * 5)
    await comment(stage, bob, photo)
    await worker.send(stage)
    for attempts in range(1, 6):
        assert len(worker.push.sent) == attempts
        await worker.pass_time(timedelta(seconds=29) if attempts == 1 else timedelta(0))
        assert len(worker.push.sent) == attempts
        await worker.pass_time(timedelta(minutes=33))
    assert (await worker.rows(ann))[0] == ("push", "failed", "no response")
    worker.push.results.append(Sent(outcome=SendOutcome.GONE, error="no device"))
    await comment(stage, bob, photo)
    await worker.send(stage)
    assert ("push", "dropped", "no device") in await worker.rows(ann)
    assert worker.metrics.results[:2] == [("push", "retried"), ("push", "retried")]


async def test_a_worker_that_is_killed(stage: Stage, worker: Deliveries) -> None:
    """What a killed worker had is another one's when the lease has expired, and no earlier; nothing is lost."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    await comment(stage, bob, await ready_photo(stage.database, ann))
    stage.deliver = worker.handlers
    await stage.pump()
    async with stage.database.transaction() as tx:
        killed = await delivery_claims.take(tx, ann.id)
    assert killed is not None
    assert len(killed.deliveries) == 1
    await worker.sending.send_due()
    assert worker.push.sent == []
    await worker.pass_time(delivery_claims.LEASE)
    assert len(worker.push.sent) == 1
    # If it was only slow, it does not take what is another one's by now.
    async with stage.database.transaction() as tx:
        assert not await delivery_claims.holds(tx, killed)
        assert not await delivery_claims.release(tx, killed)


async def test_an_outage_of_the_database_while_sending(stage: Stage, worker: Deliveries) -> None:
    """A notification whose result could not be stored is sent again after the lease."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    worker.push.results.append(UnavailableError("PostgreSQL", "away"))
    await comment(stage, bob, await ready_photo(stage.database, ann))
    with pytest.raises(UnavailableError):
        await worker.send(stage)
    await worker.pass_time(delivery_claims.LEASE)
    assert len(worker.push.sent) == 2
    assert (await worker.rows(ann))[0] == ("push", "sent", None)


async def test_turns_are_fair_and_each_delivery_is_sent_once(stage: Stage, worker: Deliveries) -> None:
    """A user with very many due deliveries does not keep others waiting; workers at once send each delivery once."""
    ann, bob, cal = await users_with_devices(stage.database, "ann", "bob", "cal")
    photo = await ready_photo(stage.database, ann)
    await comment(stage, bob, photo)
    (entry,) = (await worker_entries(stage, worker, ann))[:1]
    async with stage.database.transaction() as tx:
        await delivery_claims_many(tx, ann, 3 * delivery_claims.TURN, entry.id)
    await comment(stage, ann, await ready_photo(stage.database, cal))
    stage.deliver = worker.handlers
    await stage.pump()
    assert await delivery_claims.due_users(stage.database, limit=9) == [ann.id, cal.id]
    assert await worker.turns.take(ann.id)
    assert await delivery_claims.due_users(stage.database, limit=9) == [cal.id, ann.id]
    before = len(worker.push.sent)
    await asyncio.gather(*(worker.sending.send_due() for _ in range(4)))
    assert [user_id for user_id, _ in worker.push.sent[before:]] == [cal.id]
    states = await stage.database.fetch("SELECT DISTINCT state FROM deliveries WHERE channel = 'push'")
    assert {row["state"] for row in states} <= {"sent", "dropped"}


async def worker_entries(stage: Stage, worker: Deliveries, user: User) -> list[Any]:
    """Handle the events of the inbox alone, and return its entries."""
    del worker
    await stage.pump()
    return await inbox_of(stage.database, user)


async def delivery_claims_many(tx: Any, user: User, number: int, first: int) -> None:
    """Add due deliveries about notifications that do not exist."""
    for offset in range(number):
        delivery = deliveries.NewDelivery(
            channel=DeliveryChannel.PUSH,
            notification_id=first + offset,
            kind="comment",
            group=f"comment:{offset}",
            due_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        assert await deliveries.add(tx, user.id, delivery)


async def test_deliveries_run_and_wake(stage: Stage, worker: Deliveries) -> None:
    """A worker sends what is stored while it runs, without waiting for its next look."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    running = asyncio.create_task(worker.sending.run())
    try:
        await comment(stage, bob, await ready_photo(stage.database, ann))
        stage.deliver = worker.handlers
        await stage.pump()
        assert await eventually(lambda: worker.push.sent)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_old_deliveries_are_deleted(stage: Stage, worker: Deliveries) -> None:
    """Deliveries are deleted some days after they ended; those that wait are kept."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    await comment(stage, bob, await ready_photo(stage.database, ann))
    await worker.send(stage)
    await stage.database.fetch("UPDATE deliveries SET finished_at = finished_at - interval '15 days' RETURNING id")
    retention = DeliveryRetention(stage.database, kept=timedelta(days=14))
    assert await retention.purge() == 1
    assert await worker.rows(ann) == [("email", "waiting", None)]


async def test_digests(stage: Stage, worker: Deliveries) -> None:
    """A digest has what is new and unseen, if the user was not there; the next one is due on the next day."""
    ann, bob = await users_with_devices(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    async with stage.database.transaction() as tx:
        await notification_preferences.set_digest(tx, ann.id, DigestFrequency.DAILY, zone="UTC")
        await deliveries.set_digest(tx, ann.id, datetime.now(UTC) + timedelta(hours=12))
    day = timedelta(hours=24)
    await stage.database.fetch("UPDATE users SET last_seen_at = now() - interval '9 days' RETURNING id")
    await worker.pass_time(day)
    assert worker.digests.sent == []  # nothing is new
    await stage.like(bob, photo)
    await stage.pump()
    await worker.pass_time(day)
    (entry,) = await inbox_of(stage.database, ann)
    assert worker.digests.sent == [(ann.id, [entry.id], 1)]
    await worker.pass_time(day)
    assert len(worker.digests.sent) == 1  # it was in the last one
    await stage.like((await users_with_devices(stage.database, "cal"))[0], photo)
    await stage.pump()
    await stage.database.fetch("UPDATE users SET last_seen_at = now() RETURNING id")
    await worker.pass_time(timedelta(0))
    await worker.pass_time(day)
    states = [row for row in await worker.rows(ann) if row[0] == "digest"]
    assert [row[1:] for row in states] == [
        ("dropped", "seen"), ("sent", None), ("dropped", "seen"), ("dropped", "visited"), ("waiting", None),
    ]  # fmt: skip
