"""The commands about webhooks, for operators."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.administration import webhooks
from server.config.settings import Settings
from server.errors import InputError
from storage import ids
from storage.errors import NotFoundError
from storage.events import PhotoDeleted
from storage.models import User
from storage.postgres.database import Database
from storage.webhooks import EndpointScope, EndpointState
from tests.support.community import new_users
from tests.support.webhooks import WebhookScene, answer

pytestmark = pytest.mark.engines


@pytest.fixture
def settings(database_dsn: str, tmp_path: Path) -> Settings:
    """Settings that name the test's database, and a data directory of its own."""
    return Settings().with_values("database", url=database_dsn).with_values("data", dir=tmp_path)


async def fail(scene: WebhookScene, user: User, host: str) -> None:
    """Let a message to an endpoint fail."""
    scene.receivers.by_host[host] = answer(500)
    await scene.handle(PhotoDeleted(photo_id=user.id, author_id=user.id, sha256=""))
    await scene.send()


async def test_webhooks_of_an_account_or_all_that_fail_are_listed(database: Database, settings: Settings) -> None:
    """With what an operator needs to judge them."""
    scene = WebhookScene(database)
    ada, bob = await new_users(database, "ada", "bob")
    await scene.endpoint(ada, "good.example.org", types=("like.added",))
    bad = await scene.endpoint(bob, "bad.example.org", scope=EndpointScope.ALL)
    own = await scene.endpoint(bob, "own.example.org")
    await fail(scene, bob, "own.example.org")
    (row,) = await webhooks.find(settings, "ada", 10)
    assert (row.owner, row.url, row.state, row.events, row.everything) == (
        "ada",
        "https://good.example.org/hook",
        "active",
        "like.added",
        False,
    )
    assert [row.id for row in await webhooks.find(settings, "bob", 10)] == [ids.encode(bad.id), ids.encode(own.id)]
    (row,) = await webhooks.find(settings, None, 10)
    assert (row.id, row.failures, row.failing_since is not None) == (ids.encode(own.id), 1, True)
    await webhooks.disable(settings, ids.encode(bad.id), "no")
    assert [row.id for row in await webhooks.find(settings, None, 10)] == [ids.encode(own.id), ids.encode(bad.id)]
    assert len(await webhooks.find(settings, None, 1)) == 1
    with pytest.raises(NotFoundError):
        await webhooks.find(settings, "nobody", 10)


async def test_attempts_at_a_webhook_are_listed(database: Database, settings: Settings) -> None:
    """The newest first."""
    scene = WebhookScene(database)
    (ada,) = await new_users(database, "ada")
    endpoint = await scene.endpoint(ada, "hooks.example.org")
    for _ in range(2):
        await fail(scene, ada, "hooks.example.org")
    newest, oldest = await webhooks.attempts(settings, ids.encode(endpoint.id), 10)
    assert newest.created_at > oldest.created_at
    assert (oldest.type, oldest.number, oldest.outcome, oldest.status) == ("photo.deleted", 1, "failed", 500)
    assert [oldest.message_id, newest.message_id] == scene.receivers.ids("hooks.example.org")
    assert len(await webhooks.attempts(settings, ids.encode(endpoint.id), 1)) == 1
    with pytest.raises(InputError, match="13 characters"):
        await webhooks.attempts(settings, "x", 10)


async def test_a_webhook_is_disabled_with_a_reason_and_a_notice(database: Database, settings: Settings) -> None:
    """Nothing is sent to it until its owner verifies it again."""
    scene = WebhookScene(database)
    (ada,) = await new_users(database, "ada")
    endpoint = await scene.endpoint(ada, "hooks.example.org")
    assert await webhooks.disable(settings, ids.encode(endpoint.id), "It floods.") == "https://hooks.example.org/hook"
    now = await scene.current(endpoint)
    assert (now.state, now.reason) == (EndpointState.DISABLED, "It floods.")
    assert await database.fetchval("SELECT count(DISTINCT event_id) FROM outbox WHERE topic = 'webhook.noticed'") == 1
    await scene.ping(endpoint)
    await scene.send()
    assert (await scene.current(endpoint)).state is EndpointState.ACTIVE
    with pytest.raises(NotFoundError):
        await webhooks.disable(settings, ids.encode(7), "no")
