"""Each broker in turn, for the suites of what all of them promise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from tests.support.broker_kits import BrokerKit, LocalKit, RabbitKit


@pytest.fixture(params=["local", "rabbitmq"])
def open_kit(request: pytest.FixtureRequest) -> Callable[[AsyncExitStack], Awaitable[BrokerKit]]:
    """Each broker in turn, with names or a database of the test's own."""
    if request.param == "local":
        dsn: str = request.getfixturevalue("database_dsn")
        return lambda stack: LocalKit(dsn, stack).open()
    url, prefix = request.getfixturevalue("rabbitmq_url"), request.getfixturevalue("rabbit_prefix")
    return lambda stack: RabbitKit.open(url, prefix, stack)


@pytest.fixture
async def kit(open_kit: Callable[[AsyncExitStack], Awaitable[BrokerKit]]) -> AsyncIterator[BrokerKit]:
    """The broker under test."""
    async with AsyncExitStack() as stack:
        yield await open_kit(stack)
