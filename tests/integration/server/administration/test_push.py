"""The doctor's finding about push messages."""

from __future__ import annotations

from pydantic import SecretStr

from server.administration.push import create_key, inspect_push
from server.config.settings import Settings
from storage.postgres.database import Database
from storage.stores.notifications import push_subscriptions
from tests.support.deliveries import users_with_devices


async def test_the_key_and_the_subscriptions_are_inspected(database: Database, database_dsn: str) -> None:
    """Without a key messages are off; most subscriptions refused is a problem, a missing contact is a remark."""
    base = Settings().with_values("database", url=database_dsn)
    off = await inspect_push(base)
    assert off.ok
    assert off.detail.startswith("off")

    settings = base.with_values("push", vapid_key=SecretStr(create_key().text))
    (ann,) = await users_with_devices(database, "ann")
    found = await inspect_push(settings)
    assert found.ok
    assert found.detail.startswith("1 subscriptions, 0 of them refused last; Apple refuses")
    reachable = settings.with_values("push", contact="mailto:operator@picshare.example")
    assert (await inspect_push(reachable)).detail == "1 subscriptions, 0 of them refused last"

    async with database.transaction() as tx:
        await push_subscriptions.record(tx, ann.id, refused=[ann.id])
    refused = await inspect_push(reachable)
    assert not refused.ok
    assert "another key" in refused.remedy
