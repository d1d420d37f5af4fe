"""Notifications of owners whose webhooks fail or were disabled."""

from __future__ import annotations

import pytest

from storage.events import WebhookNoticed
from storage.stores import notifications
from tests.support.community import new_user
from tests.support.stage import Stage
from workers.jobs.inbox import Inbox
from workers.jobs.webhooks import WebhookHandlers

pytestmark = pytest.mark.engines


async def test_the_owner_of_a_failing_webhook_is_notified_at_once_and_not_again(stage: Stage) -> None:
    """Repeated events, and other webhooks of the day, add nothing to a notification that was not read."""
    ada = await new_user(stage.database, "ada")
    await stage.online(ada)
    handlers = WebhookHandlers(
        stage.database, Inbox(stage.database, stage.notification_log), notify=lambda: None
    ).handlers()
    for endpoint_id, disabled in ((1, False), (1, False), (2, False), (1, True)):
        event = WebhookNoticed(endpoint_id=endpoint_id, owner_id=ada.id, disabled=disabled)
        await handlers[event.topic](event)
    # A repetition publishes the entry again, which clients know by its id.
    texts = {each.document["notification"]["id"]: each.document["notification"] for each in await stage.deliveries(ada)}
    assert [(each["kind"], each["text"]) for each in texts.values()] == [
        ("webhook_failing", "A webhook of yours is failing"),
        ("webhook_disabled", "A webhook of yours was disabled"),
    ]
    listed = await notifications.inbox(stage.database, ada.id, before=None, limit=10)
    assert [each.kind.value for each in listed] == ["webhook_disabled", "webhook_failing"]
    assert all(each.actors == () for each in listed)
