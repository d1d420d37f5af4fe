"""Fixtures of the storage tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.composition.delivery import delivery_script
from storage.feeds.window_log import WindowLog
from tests.support.listener import Listener


@pytest.fixture
def log(redis: Any) -> WindowLog:
    """Logs with a window of 20, so that trimming is near."""
    return WindowLog(redis, "feed", delivery_script(redis), window=20)


@pytest.fixture
async def live(redis: Any) -> AsyncIterator[Listener]:
    """A live process to which no user is connected yet."""
    listener = Listener(redis, b"process1")
    await listener.listen()
    yield listener
    await listener.close()
