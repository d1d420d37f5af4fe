"""The stream of notifications."""

from __future__ import annotations

from typing import Any

import pytest

from server.composition.delivery import delivery_script
from storage.feeds.notification_log import NotificationLog
from tests.support.listener import Listener

pytestmark = [pytest.mark.engines, pytest.mark.cluster]

ANN = 1025


async def test_missed_notifications_are_recovered(redis: Any) -> None:
    """Notifications pushed after a position are recovered in the order of their last change."""
    log = NotificationLog(redis, delivery_script(redis))
    epoch, offset = await log.position(ANN)
    for notification in (5, 6, 5):
        assert not await log.push(ANN, notification, b"body")
    missed = await log.since(ANN, epoch, offset)
    assert missed is not None
    assert [entry.id for entry in missed.entries] == [6, 5]
    assert await log.position(ANN) == missed.position == (epoch, missed.entries[-1].offset)


async def test_recipient_online(redis: Any) -> None:
    """A push returns whether the recipient is online, and delivers the offset to recover from."""
    log, live = NotificationLog(redis, delivery_script(redis)), Listener(redis, b"process1")
    await live.listen(ANN)
    epoch, _ = await log.position(ANN)
    assert await log.push(ANN, 5, b"liked")
    [message] = await live.received()
    assert (message.user_ids, message.body) == ([ANN], b"liked")
    delta = await log.since(ANN, epoch, message.offset)
    assert delta is not None
    assert not delta.entries
    await live.close()


async def test_positions_older_than_the_log(redis: Any) -> None:
    """A position below the trimmed entries is unknown, and so is one of another log."""
    log = NotificationLog(redis, delivery_script(redis))
    epoch, offset = await log.position(ANN)
    for notification in range(1, 300):
        await log.push(ANN, notification, b"body")
    assert await log.since(ANN, epoch, offset) is None
    assert await log.since(ANN, "nonsense", offset) is None
    assert await log.since(ANN + 1, epoch, offset) is None
