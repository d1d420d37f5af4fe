"""Notifications of what happens to an account itself."""

from __future__ import annotations

import pytest

from storage.events import SecurityNoticed
from storage.notifications import SecurityEvent
from storage.stores.notifications import notification_removal, security_notices
from tests.support.community import new_user
from tests.support.stage import Stage, inbox, start_clean

pytestmark = pytest.mark.engines


async def test_an_event_of_security_is_notified_once(stage: Stage) -> None:
    """The entry says what happened and from which device; it is never grouped, and not made again once deleted."""
    ann = await new_user(stage.database, "ann")
    await start_clean(stage, ann)
    async with stage.database.transaction() as tx:
        security_notices.notice(tx, ann.id, SecurityEvent.NEW_SIGN_IN, device="Firefox\n  on Linux")
        security_notices.notice(tx, ann.id, SecurityEvent.PASSWORD_CHANGED)
        events = [event for event in tx.events if isinstance(event, SecurityNoticed)]
    await stage.pump()
    assert await inbox(stage, ann) == ["Your password was changed", "New sign-in to your account from Firefox on Linux"]
    documents = [m.document["notification"] for m in await stage.deliveries(ann)]
    assert [(document["kind"], document["security"]) for document in documents] == [
        ("security", {"event": "new_sign_in", "device": "Firefox on Linux"}),
        ("security", {"event": "password_changed", "device": None}),
    ]
    rows = await stage.database.fetch("SELECT id FROM notifications WHERE user_id = $1 ORDER BY id", ann.id)
    async with stage.database.transaction() as tx:
        await notification_removal.dismiss(tx, ann.id, rows[0]["id"])
    for event in events:
        await stage.notify.security_noticed(event)
    assert await inbox(stage, ann) == ["Your password was changed"]


def test_a_long_description_of_a_device_is_cut() -> None:
    """The text has at most 80 characters of it."""

    class Outbox:
        def __init__(self) -> None:
            self.emitted: list[SecurityNoticed] = []

        def new_id(self, shard: int) -> int:
            return shard

        def emit(self, event: SecurityNoticed) -> None:
            self.emitted.append(event)

    outbox = Outbox()
    security_notices.notice(outbox, 1, SecurityEvent.NEW_SIGN_IN, device="x" * 500)  # type: ignore[arg-type]
    assert [len(event.device) for event in outbox.emitted] == [80]
