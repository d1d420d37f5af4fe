"""What the janitor removes of webhooks, and what it keeps; and what the end of an account removes."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from storage.events import PhotoReady
from storage.models import User
from storage.postgres.database import Database
from storage.stores.accounts import erasure, users
from storage.stores.webhooks import webhook_endpoints
from storage.webhooks import Endpoint, EndpointState
from tests.support.community import new_user, new_users, ready_photo
from tests.support.webhooks import WebhookScene, answer
from workers.jobs.upkeep.webhook_retention import WebhookRetention

pytestmark = pytest.mark.engines

HOST = "hooks.example.org"


@pytest.fixture
def scene(database: Database) -> WebhookScene:
    """The worker, and receivers in memory."""
    return WebhookScene(database)


async def filled(scene: WebhookScene, owner: User, host: str = HOST, *, events: int = 5) -> Endpoint:
    """Create an endpoint with so many delivered events and one that has failed for now."""
    endpoint = await scene.endpoint(owner, host)
    photo = await ready_photo(scene.database, owner)
    event = PhotoReady(photo_id=photo.id, author_id=owner.id)
    for _ in range(events):
        await scene.handle(event)
    await scene.send()
    scene.receivers.by_host[host] = answer(500)
    await scene.handle(event)
    await scene.send()
    scene.receivers.by_host.clear()
    return endpoint


async def count(scene: WebhookScene) -> dict[str, int]:
    """Return the number of rows of each table."""
    row = await scene.database.fetchrow(
        "SELECT (SELECT count(*) FROM webhook_endpoints) AS webhook_endpoints, "
        "(SELECT count(*) FROM webhook_deliveries) AS webhook_deliveries, "
        "(SELECT count(*) FROM webhook_attempts) AS webhook_attempts"
    )
    assert row is not None
    return dict(row)


async def payloads(scene: WebhookScene) -> int:
    """Return how many deliveries can still be sent."""
    number: int = await scene.database.fetchval("SELECT count(*) FROM webhook_deliveries WHERE event IS NOT NULL")
    return number


async def test_payloads_are_forgotten_a_week_after_the_delivery(scene: WebhookScene) -> None:
    """In batches; those that have not been delivered are kept."""
    await filled(scene, await new_user(scene.database, "ada"))
    retention = WebhookRetention(scene.database, batch=2)
    await scene.advance(timedelta(days=6))
    assert await retention.forget_payloads() == 0
    await scene.advance(timedelta(days=1))
    assert await retention.forget_payloads() == 5
    assert await payloads(scene) == 1
    assert await retention.forget_payloads() == 0


async def test_deliveries_are_deleted_a_month_after_their_end(scene: WebhookScene) -> None:
    """One that is still attempted is kept, and one that has waited for a paused endpoint so long is not."""
    ada = await new_user(scene.database, "ada")
    endpoint = await filled(scene, ada)
    retention = WebhookRetention(scene.database, batch=2)
    await scene.advance(timedelta(days=29))
    assert await retention.delete_deliveries() == 0
    await scene.advance(timedelta(days=1))
    assert await retention.delete_deliveries() == 5
    assert await scene.states(endpoint) == ["waiting"]
    async with scene.database.transaction() as tx:
        await webhook_endpoints.edit(tx, endpoint.id, owner_id=ada.id, state=EndpointState.PAUSED)
    assert await retention.delete_deliveries() == 1


async def test_attempts_are_deleted_after_a_month(scene: WebhookScene) -> None:
    """By the time in their ids."""
    await filled(scene, await new_user(scene.database, "ada"))
    day = 86_400
    for days, deleted in ((29.9, 0), (30.1, 6)):
        retention = WebhookRetention(scene.database, batch=4, clock=lambda days=days: time.time() + days * day)  # type: ignore[misc]
        assert await retention.delete_attempts() == deleted
    assert (await count(scene))["webhook_attempts"] == 0


async def test_a_deleted_endpoint_disappears_with_all_its_rows(scene: WebhookScene) -> None:
    """In batches, and no other with it."""
    ada, bob = await new_users(scene.database, "ada", "bob")
    gone = await filled(scene, ada)
    await filled(scene, bob, "other.example.org")
    retention = WebhookRetention(scene.database, batch=2)
    assert await retention.delete_endpoints() == 0
    async with scene.database.transaction() as tx:
        await webhook_endpoints.delete(tx, gone.id, owner_id=ada.id)
    assert await retention.delete_endpoints() == 6 + 6 + 1
    assert await count(scene) == {"webhook_endpoints": 1, "webhook_deliveries": 6, "webhook_attempts": 6}


async def test_the_erasure_of_an_account_leaves_nothing_of_its_webhooks(scene: WebhookScene) -> None:
    """And everything of those of others."""
    ada, bob = await new_users(scene.database, "ada", "bob")
    await filled(scene, ada)
    await filled(scene, bob, "other.example.org")
    async with scene.database.transaction() as tx:
        await users.remove(tx, ada.id)
    for _ in range(50):
        async with scene.database.transaction() as tx:
            if not await erasure.erase(tx, ada.id, grace_minutes=0, limit=1):
                break
    assert await count(scene) == {"webhook_endpoints": 1, "webhook_deliveries": 6, "webhook_attempts": 6}
    assert await scene.database.fetchval("SELECT count(*) FROM webhook_attempts WHERE owner_id = $1", bob.id) == 6


def test_the_tasks_of_the_janitor() -> None:
    """Each has a name in logs and metrics."""
    tasks = WebhookRetention(None).tasks()  # type: ignore[arg-type]
    assert {task.name for task in tasks} == {
        "webhook_payloads",
        "webhook_deliveries",
        "webhook_attempts",
        "deleted_webhooks",
    }
