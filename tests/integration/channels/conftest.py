"""Live endpoints for these tests, each on the Redis of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from channels.contract.settings import LiveSettings
from storage.redis.client import Redis
from tests.support.live import LiveServer

Serve = Callable[..., AbstractAsyncContextManager[LiveServer]]

# What the service does at times is quick, and its deadlines are long, because a busy machine is no failure.
QUICK = {
    "tick": 0.02,
    "drain_seconds": 0.1,
    "close_deadline": 1.0,
    "ping_interval": 600.0,
    "connect_deadline": 60.0,
    "command_deadline": 60.0,
    "pubsub_deadline": 10.0,
    "process_deadline": 60.0,
}


@pytest.fixture
def serve(redis: Redis) -> Serve:
    """Start a live process with settings of the test's own; the defaults have short intervals."""

    def start(**settings: object) -> AbstractAsyncContextManager[LiveServer]:
        return LiveServer(redis, LiveSettings(**{**QUICK, **settings})).running()  # type: ignore[arg-type]

    return start


@pytest.fixture
async def server(serve: Serve) -> AsyncIterator[LiveServer]:
    """A live process with default settings."""
    async with serve() as running:
        yield running
