"""Who is online and who was when, as the scripts keep it in a real engine and tell it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from channels.bus.addressing import GROUPS, PROCESSES_KEY, last_seen_key, present_key, registry_key, user_field
from channels.bus.envelope import PresenceChange, decode_topic_message
from channels.bus.presence_store import PresenceStore
from channels.bus.processes import Beat, Processes
from channels.bus.registry import Registry
from channels.contract.ports import Presence
from storage.redis.client import Redis
from tests.support.driver_commands import commands, driver_client
from tests.support.live import group_of

pytestmark = pytest.mark.engines

ANN, BEN, CAT = 7, 7 + GROUPS, 8  # two of one group, one of another
LONG_AGO = int(time.time() * 1000) - 3_600_000  # an hour
DEAD = b"deadbeef"


class Stand:
    """Two processes' registrations, the book, and everything that is said of anybody's presence."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.book = PresenceStore(redis, group_of)
        self.here: dict[bytes, set[int]] = {b"process1": set(), b"process2": set()}
        self.joined: list[int] = []
        self._registries = {
            name: Registry(redis, name, group_of, people.__contains__, on_online=self.joined.append)
            for name, people in self.here.items()
        }
        self._driver = driver_client(redis)
        self._pubsub = self._driver.pubsub(ignore_subscribe_messages=True)
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Begin to hear and to write."""
        await self._pubsub.psubscribe(b"topic:presence:*")
        await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
        self._tasks = [asyncio.create_task(registry.run()) for registry in self._registries.values()]

    async def close(self) -> None:
        """End both."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self._pubsub.aclose()
        await self._driver.aclose()

    async def come(self, *people: int, at: bytes = b"process1") -> None:
        """Connect people."""
        self.here[at].update(people)
        await self._registries[at].register(people)

    async def go(self, *people: int, at: bytes = b"process1") -> None:
        """Disconnect people."""
        self.here[at].difference_update(people)
        await self._registries[at].register(people)

    async def told(self) -> list[tuple[int, bool]]:
        """Return who was said to have come or gone since the last call, in order."""
        await commands(self.redis).publish(b"topic:presence:mark", b"mark")
        said: list[tuple[int, bool]] = []
        async with asyncio.timeout(5):
            while True:
                message = await self._pubsub.get_message(timeout=1)
                if message is None:
                    continue
                if message["data"] == b"mark":
                    return said
                news = decode_topic_message(message["data"])
                assert isinstance(news, PresenceChange)
                assert (news.presence.last_seen is None) is news.presence.online
                said.append((news.user_id, news.presence.online))


@pytest.fixture
async def stand(redis: Redis) -> AsyncIterator[Stand]:
    """An empty stand."""
    stand = Stand(redis)
    await stand.open()
    yield stand
    await stand.close()


async def test_from_the_first_connection_to_after_the_last(stand: Stand) -> None:
    """A person comes with the first process and goes after the last, each told once; renewals tell nothing."""
    assert await stand.book.read(ANN) == Presence(online=False)
    await stand.come(ANN)
    await stand.come(ANN, at=b"process2")
    await stand.come(ANN)
    assert await stand.told() == [(ANN, True)]
    assert stand.joined == [1]
    await stand.go(ANN)
    assert await stand.book.expire_departed(grace=0) == 0
    before = int(time.time() * 1000)
    await stand.go(ANN, at=b"process2")
    assert await stand.book.read(ANN) == Presence(online=True)  # not yet told
    assert await stand.book.expire_departed(grace=0) == 1
    presence = await stand.book.read(ANN)
    assert not presence.online
    assert presence.last_seen is not None
    assert before <= presence.last_seen <= time.time() * 1000
    assert await stand.told() == [(ANN, False)]


async def test_who_comes_back_in_time_was_never_away(stand: Stand) -> None:
    """Within the grace a person may move to another process, or come back, and nothing is said."""
    await stand.come(ANN, BEN)
    await stand.told()
    await stand.go(ANN, BEN)
    assert await stand.book.expire_departed(grace=60) == 0
    await stand.come(ANN, at=b"process2")
    assert await stand.book.expire_departed(grace=0) == 1
    assert await stand.told() == [(BEN, False)]
    assert await stand.book.read(ANN) == Presence(online=True)


async def test_a_registration_that_is_old_hides_nobody(stand: Stand) -> None:
    """Who comes is announced, also where a process that died unnoticed still stands in the registry."""
    await commands(stand.redis).hset(registry_key(group_of(ANN)), user_field(ANN), DEAD)
    await stand.come(ANN)
    assert await stand.told() == [(ANN, True)]


async def test_who_comes_again_is_told_again(stand: Stand) -> None:
    """After having been away a person is announced anew, and when they were last here is no longer of interest."""
    for _ in range(2):
        await stand.come(ANN)
        await stand.go(ANN)
        await stand.book.expire_departed(grace=0)
    assert await stand.told() == [(ANN, True), (ANN, False)] * 2
    await stand.come(ANN)
    assert await stand.book.read(ANN) == Presence(online=True)
    assert await commands(stand.redis).zcard(last_seen_key(group_of(ANN))) == 0


async def test_many_at_once_are_each_told_once(stand: Stand) -> None:
    """However many processes look at the same time for who has gone, each person is announced once."""
    everyone = [16 * number + 5 for number in range(1500)] + [16 * number + 6 for number in range(1500)]
    await stand.come(*everyone)
    assert Counter(await stand.told()) == {(person, True): 1 for person in everyone}
    await stand.go(*everyone)
    parted = await asyncio.gather(*(stand.book.expire_departed(grace=0) for _ in range(4)))
    assert sum(parted) == len(everyone)
    assert Counter(await stand.told()) == {(person, False): 1 for person in everyone}


async def test_last_seen_is_forgotten_after_a_month(stand: Stand) -> None:
    """When somebody was last here is kept for 30 days, and no longer."""
    day = 24 * 3600 * 1000
    now = int(time.time() * 1000)
    key = last_seen_key(group_of(ANN))
    await commands(stand.redis).zadd(key, {user_field(ANN): now - 31 * day, user_field(BEN): now - 29 * day})
    await stand.book.expire_departed(grace=10)
    assert await stand.book.read(ANN) == Presence(online=False)
    assert await stand.book.read(BEN) == Presence(online=False, last_seen=now - 29 * day)


async def test_dead_processes_are_cleared(stand: Stand) -> None:
    """Who was connected to a dead process alone left when it was last alive; who is elsewhere too, stays."""
    await stand.come(ANN, BEN, CAT)
    for person in (ANN, BEN, CAT):
        key, field = registry_key(group_of(person)), user_field(person)
        await commands(stand.redis).hset(key, field, DEAD if person == ANN else DEAD + b"process1")
    await stand.told()
    clearing = await stand.book.remove_processes({DEAD: LONG_AGO})
    assert (clearing.left, clearing.others) == (1, {b"process1"})
    assert await stand.book.expire_departed(grace=10) == 1
    assert await stand.told() == [(ANN, False)]
    assert await stand.book.read(ANN) == Presence(online=False, last_seen=LONG_AGO)
    assert await commands(stand.redis).hgetall(registry_key(group_of(BEN))) == {user_field(BEN): b"process1"}
    assert await commands(stand.redis).hgetall(registry_key(group_of(CAT))) == {user_field(CAT): b"process1"}


async def test_clearing_reaches_everybody(stand: Stand) -> None:
    """RemovedProcesses goes through all people in steps, however many there are."""
    everyone = [16 * number + 5 for number in range(3000)]
    await stand.come(*everyone)
    key = registry_key(5)
    await commands(stand.redis).hset(key, mapping={user_field(person): DEAD for person in everyone[::2]})
    assert (await stand.book.remove_processes({DEAD: LONG_AGO})).left == len(everyone) // 2
    assert await commands(stand.redis).hlen(key) == len(everyone) // 2


async def test_lost_registrations_leave_nobody_online_for_ever(stand: Stand) -> None:
    """A writer takes a process that it does not reach out of the registry: its people go all the same, or come back."""
    await stand.come(ANN, BEN, CAT)
    await commands(stand.redis).delete(registry_key(group_of(ANN)), registry_key(group_of(CAT)))
    await stand.told()
    await stand.go(ANN)
    await stand.come(BEN)
    await stand.book.expire_departed(grace=0)
    assert await stand.told() == [(ANN, False)]
    assert (await stand.book.remove_processes({DEAD: LONG_AGO})).left == 1
    # BEN left now, not long ago: the process may have been cut off rather than dead.
    assert await stand.book.expire_departed(grace=10) == 0
    await stand.book.expire_departed(grace=0)
    assert await stand.told() == [(CAT, False)]


async def test_a_silent_process_is_given_to_one(redis: Redis) -> None:
    """Only who judges is given a process that has been silent for the deadline, and only one of those who do."""
    expire, other = (Processes(redis, name, deadline=20) for name in (b"process1", b"process2"))
    assert await expire.beat(expire=True) == Beat(was_unknown=True, dead={})
    await commands(redis).zadd(PROCESSES_KEY, {DEAD: LONG_AGO})
    assert await other.beat(expire=False) == Beat(was_unknown=True, dead={})
    first, second = await asyncio.gather(expire.beat(expire=True), other.beat(expire=True))
    assert {**first.dead, **second.dead} == {DEAD: LONG_AGO}
    assert not first.dead or not second.dead
    assert await expire.unknown({DEAD, b"nobody00"}) == [b"nobody00"]
    await expire.remove([DEAD, b"process1"])
    assert await expire.unknown({DEAD}) == [DEAD]
    assert (await expire.beat(expire=True)).was_unknown


async def test_groups_keep_their_own(stand: Stand) -> None:
    """A person's state lies with the keys of their group."""
    await stand.come(ANN, CAT)
    for person in (ANN, CAT):
        assert await commands(stand.redis).zscore(present_key(group_of(person)), user_field(person)) == 0
