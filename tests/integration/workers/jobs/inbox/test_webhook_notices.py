"""Notifications of owners whose webhooks fail or were disabled."""

from __future__ import annotations

from typing import Any

import pytest

from storage.events import WebhookNoticed
from storage.ids import encode
from storage.models import User
from storage.stores.notifications import notification_marks, notifications
from storage.stores.notifications.notification_marks import Selection
from storage.stores.webhooks import webhook_endpoints
from storage.webhooks import Endpoint, EndpointScope
from tests.support.community import new_user
from tests.support.stage import Stage
from workers.jobs.inbox.inbox import Inbox
from workers.jobs.webhooks.webhooks import WebhookHandlers

pytestmark = pytest.mark.engines


async def webhook(stage: Stage, owner: User, url: str, description: str = "") -> Endpoint:
    """Create a webhook."""
    async with stage.database.transaction() as tx:
        return await webhook_endpoints.create(
            tx,
            owner_id=owner.id,
            url=url,
            description=description,
            types=[],
            scope=EndpointScope.OWN,
            ordered=False,
            secret="secret",
        )


async def notice(stage: Stage, endpoint: Endpoint, *, disabled: bool = False) -> None:
    """Have the owner of a webhook notified."""
    inbox = Inbox(stage.database, stage.notification_log)
    handlers = WebhookHandlers(stage.database, inbox, notify=lambda: None).handlers()
    event = WebhookNoticed(endpoint_id=endpoint.id, owner_id=endpoint.owner_id, disabled=disabled)
    await handlers[event.topic](event)


async def listed(stage: Stage, owner: User) -> list[tuple[str, str, int | None]]:
    """Return kind, text and webhook of each entry of an inbox, newest first."""
    entries = await notifications.inbox(stage.database, owner.id, before=None, limit=10)
    assert all(each.actors == () for each in entries)
    return [(each.kind.value, each.text, each.webhook_id) for each in entries]


async def test_the_owner_of_a_failing_webhook_is_notified_at_once_and_not_again(stage: Stage) -> None:
    """Repeated events add nothing to a notification that was not read; each webhook has its own, which names it."""
    ada = await new_user(stage.database, "ada")
    await stage.online(ada)
    shop = await webhook(stage, ada, "https://hooks.example:8443/shop?key=s3cret", "The shop")
    other = await webhook(stage, ada, "https://hooks.example:8443/other?key=s3cret")
    for endpoint, disabled in ((shop, False), (shop, False), (other, False), (shop, True)):
        await notice(stage, endpoint, disabled=disabled)
    # A repetition publishes the entry again, which clients know by its id.
    found: dict[str, Any] = {}
    for each in await stage.deliveries(ada):
        found[each.document["notification"]["id"]] = each.document["notification"]
    assert [(each["kind"], each["text"], each["webhook_id"]) for each in found.values()] == [
        ("webhook_failing", "Your webhook “The shop” is failing", encode(shop.id)),
        ("webhook_failing", "Your webhook “hooks.example” is failing", encode(other.id)),
        ("webhook_disabled", "Your webhook “The shop” was disabled", encode(shop.id)),
    ]
    assert await listed(stage, ada) == [
        ("webhook_disabled", "Your webhook “The shop” was disabled", shop.id),
        ("webhook_failing", "Your webhook “hooks.example” is failing", other.id),
        ("webhook_failing", "Your webhook “The shop” is failing", shop.id),
    ]


async def test_a_webhook_that_fails_after_the_entry_was_read_is_news(stage: Stage) -> None:
    """The former entry stays, and there is another one."""
    ada = await new_user(stage.database, "ada")
    shop = await webhook(stage, ada, "https://hooks.example/shop")
    await notice(stage, shop)
    async with stage.database.transaction() as tx:
        await notification_marks.mark_read(tx, ada.id, Selection())
    await notice(stage, shop)
    assert len(await listed(stage, ada)) == 2


async def test_an_entry_about_a_deleted_webhook_does_not_name_it(stage: Stage) -> None:
    """There is nothing to open any more."""
    ada = await new_user(stage.database, "ada")
    shop = await webhook(stage, ada, "https://hooks.example/shop")
    await notice(stage, shop)
    async with stage.database.transaction() as tx:
        await webhook_endpoints.delete(tx, shop.id, owner_id=ada.id)
    assert await listed(stage, ada) == [("webhook_failing", "A webhook of yours is failing", None)]
