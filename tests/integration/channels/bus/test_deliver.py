"""The script that addresses one message to the processes of many users, on a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from channels.bus.addressing import GROUPS, channel_prefix, registry_key, user_field
from channels.bus.redis_client import Script
from storage.redis.client import Redis
from tests.support.driver_commands import commands
from tests.support.listener import Listener

pytestmark = [pytest.mark.engines, pytest.mark.cluster]

GROUP = 5
USERS = [GROUP + GROUPS * 1024 * number for number in range(8003)]  # more than two batches of 4,000
DEAD = b"deadbeef"


class Delivery:
    """The script, as `send.lua` calls it, and a process that receives."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.listener = Listener(redis, b"process1")
        self._script = Script(redis, "deliver.lua", "send.lua")

    async def register(self, *user_ids: int, processes: bytes = b"process1") -> None:
        """Register users at these processes."""
        mapping = {user_field(user_id): processes for user_id in user_ids}
        await commands(self.redis).hset(registry_key(GROUP), mapping=mapping)

    async def send(self, user_ids: Sequence[int]) -> int:
        """Send a body to users and return how many are online."""
        fields = map(user_field, user_ids)
        return int(await self._script(keys=[registry_key(GROUP)], args=[channel_prefix(GROUP), b"body", *fields]))

    async def registered(self) -> dict[int, bytes]:
        """Return the registrations."""
        values = await commands(self.redis).hgetall(registry_key(GROUP))
        return {int.from_bytes(field, "big"): value for field, value in values.items()}


@pytest.fixture
async def delivery(redis: Redis) -> AsyncIterator[Delivery]:
    """A script and a process without users."""
    delivery = Delivery(redis)
    await delivery.listener.listen()
    yield delivery
    await delivery.listener.close()


async def test_each_of_many_users_is_addressed_once(delivery: Delivery) -> None:
    """However many users there are, one message has each of them that is online once, in their order."""
    await delivery.register(*USERS[:-1])
    assert await delivery.send(USERS) == len(USERS) - 1
    [message] = await delivery.listener.received()
    assert (message.offset, message.body) == (0, b"body")
    assert message.user_ids == USERS[:-1]


async def test_without_users_nothing_is_sent(delivery: Delivery) -> None:
    """Users that are registered nowhere, and no users at all, cause no message."""
    assert await delivery.send([]) == 0
    assert await delivery.send(USERS[:3]) == 0
    await delivery.register(USERS[3])
    assert await delivery.send(USERS[:3]) == 0
    assert await delivery.listener.received() == []


@pytest.mark.parametrize(
    ("processes", "left"),
    [
        (DEAD, None),
        (DEAD + b"process1", b"process1"),
        (b"process1" + DEAD, b"process1"),
        (b"process1" + DEAD + DEAD, b"process1"),
        (b"deadbee2" + DEAD, None),
    ],
)
async def test_a_process_that_does_not_listen_is_removed(
    delivery: Delivery, processes: bytes, left: bytes | None
) -> None:
    """Its id leaves the registrations of the recipients, and only those; the other processes get the message."""
    await delivery.register(USERS[0], processes=processes)
    await delivery.register(USERS[1], processes=DEAD)
    assert await delivery.send(USERS[:1]) == 1
    assert [message.user_ids for message in await delivery.listener.received()] == ([[USERS[0]]] if left else [])
    assert await delivery.registered() == {**({USERS[0]: left} if left else {}), USERS[1]: DEAD}
