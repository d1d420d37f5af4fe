"""Presence of users as the scripts store and publish it, on a real Redis."""

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
from channels.bus.redis_client import Script
from channels.bus.registry import Registry
from channels.contract.ports import Presence
from storage.redis.client import Redis
from tests.support.driver_commands import commands, driver_client
from tests.support.eventually import DEADLINE, eventually
from tests.support.live import group_of

pytestmark = pytest.mark.engines

ANN, BEN, CAT = 7, 7 + GROUPS, 8  # two of one group, one of another
LONG_AGO = int(time.time() * 1000) - 3_600_000  # an hour
DEAD = b"deadbeef"


class Scene:
    """Registrations of two processes, the presence store, and all published presence changes."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.store = PresenceStore(redis, group_of)
        self.here: dict[bytes, set[int]] = {b"process1": set(), b"process2": set()}
        self.online: list[int] = []
        self._registries = {
            name: Registry(redis, name, group_of, user_ids.__contains__, on_online=self.online.append)
            for name, user_ids in self.here.items()
        }
        self._driver = driver_client(redis)
        self._pubsub = self._driver.pubsub(ignore_subscribe_messages=True)
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Begin to receive and to write."""
        await self._pubsub.psubscribe(b"topic:presence:*")
        await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
        self._tasks = [asyncio.create_task(registry.run()) for registry in self._registries.values()]

    async def close(self) -> None:
        """Stop both."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self._pubsub.aclose()
        await self._driver.aclose()

    async def connect(self, *user_ids: int, at: bytes = b"process1") -> set[int]:
        """Connect users; return those who were not registered at this process."""
        self.here[at].update(user_ids)
        return await self._registries[at].register(user_ids)

    async def disconnect(self, *user_ids: int, at: bytes = b"process1") -> None:
        """Disconnect users."""
        self.here[at].difference_update(user_ids)
        await self._registries[at].register(user_ids)

    async def changes(self) -> list[tuple[int, bool]]:
        """Return the presence changes since the last call, in order."""
        await commands(self.redis).publish(b"topic:presence:mark", b"mark")
        result: list[tuple[int, bool]] = []
        async with asyncio.timeout(DEADLINE):
            while True:
                message = await self._pubsub.get_message(timeout=1)
                if message is None:
                    continue
                if message["data"] == b"mark":
                    return result
                change = decode_topic_message(message["data"])
                assert isinstance(change, PresenceChange)
                assert (change.presence.last_seen is None) is change.presence.online
                result.append((change.user_id, change.presence.online))


@pytest.fixture
async def scene(redis: Redis) -> AsyncIterator[Scene]:
    """A scene without users."""
    scene = Scene(redis)
    await scene.open()
    yield scene
    await scene.close()


async def test_from_the_first_connection_to_after_the_last(scene: Scene) -> None:
    """A user goes online with the first process and offline after the last; each is published once."""
    assert await scene.store.read(ANN) == Presence(online=False)
    await scene.connect(ANN)
    await scene.connect(ANN, at=b"process2")
    await scene.connect(ANN)
    assert await scene.changes() == [(ANN, True)]
    assert scene.online == [1]
    await scene.disconnect(ANN)
    assert await scene.store.expire_departed(grace=0) == 0
    before = int(time.time() * 1000)
    await scene.disconnect(ANN, at=b"process2")
    assert await scene.store.read(ANN) == Presence(online=True)  # not announced yet
    assert await scene.store.expire_departed(grace=0) == 1
    presence = await scene.store.read(ANN)
    assert not presence.online
    assert presence.last_seen is not None
    assert before <= presence.last_seen <= time.time() * 1000
    assert await scene.changes() == [(ANN, False)]


async def test_reconnecting_within_the_grace(scene: Scene) -> None:
    """A user who moves to another process or reconnects within the grace period causes no change."""
    await scene.connect(ANN, BEN)
    await scene.changes()
    await scene.disconnect(ANN, BEN)
    assert await scene.store.expire_departed(grace=60) == 0
    await scene.connect(ANN, at=b"process2")
    assert await scene.store.expire_departed(grace=0) == 1
    assert await scene.changes() == [(BEN, False)]
    assert await scene.store.read(ANN) == Presence(online=True)


async def test_a_stale_registration_hides_no_user(scene: Scene) -> None:
    """A user who connects is announced, even if a dead process is still in the registry."""
    await commands(scene.redis).hset(registry_key(group_of(ANN)), user_field(ANN), DEAD)
    await scene.connect(ANN)
    assert await scene.changes() == [(ANN, True)]


async def test_coming_back_is_announced(scene: Scene) -> None:
    """A user who was offline is announced again, and the time of the last presence is removed."""
    for _ in range(2):
        await scene.connect(ANN)
        await scene.disconnect(ANN)
        await scene.store.expire_departed(grace=0)
    assert await scene.changes() == [(ANN, True), (ANN, False)] * 2
    await scene.connect(ANN)
    assert await scene.store.read(ANN) == Presence(online=True)
    assert await commands(scene.redis).zcard(last_seen_key(group_of(ANN))) == 0


async def test_each_departure_is_announced_once(scene: Scene) -> None:
    """Each user is announced once, however many processes expire departed users at the same time."""
    user_ids = [16 * number + 5 for number in range(1500)] + [16 * number + 6 for number in range(1500)]
    await scene.connect(*user_ids)
    assert Counter(await scene.changes()) == {(user_id, True): 1 for user_id in user_ids}
    await scene.disconnect(*user_ids)
    offline = await asyncio.gather(*(scene.store.expire_departed(grace=0) for _ in range(4)))
    assert sum(offline) == len(user_ids)
    assert Counter(await scene.changes()) == {(user_id, False): 1 for user_id in user_ids}


async def test_last_seen_is_retained_for_a_month(scene: Scene) -> None:
    """The time of the last presence is retained for 30 days, and no longer."""
    day = 24 * 3600 * 1000
    now = int(time.time() * 1000)
    key = last_seen_key(group_of(ANN))
    await commands(scene.redis).zadd(key, {user_field(ANN): now - 31 * day, user_field(BEN): now - 29 * day})
    await scene.store.expire_departed(grace=10)
    assert await scene.store.read(ANN) == Presence(online=False)
    assert await scene.store.read(BEN) == Presence(online=False, last_seen=now - 29 * day)


async def test_dead_processes_are_removed(scene: Scene) -> None:
    """Users of a dead process alone left when it was last alive; those with another process stay."""
    await scene.connect(ANN, BEN, CAT)
    for user_id in (ANN, BEN, CAT):
        key, field = registry_key(group_of(user_id)), user_field(user_id)
        await commands(scene.redis).hset(key, field, DEAD if user_id == ANN else DEAD + b"process1")
    await scene.changes()
    removed = await scene.store.remove_processes({DEAD: LONG_AGO})
    assert (removed.left, removed.others) == (1, {b"process1"})
    assert await scene.store.expire_departed(grace=10) == 1
    assert await scene.changes() == [(ANN, False)]
    assert await scene.store.read(ANN) == Presence(online=False, last_seen=LONG_AGO)
    assert await commands(scene.redis).hgetall(registry_key(group_of(BEN))) == {user_field(BEN): b"process1"}
    assert await commands(scene.redis).hgetall(registry_key(group_of(CAT))) == {user_field(CAT): b"process1"}


@pytest.mark.parametrize("turned", [False, True])
async def test_of_several_dead_processes_the_last_heartbeat_counts(scene: Scene, turned: bool) -> None:
    """A user of two dead processes left with the one that lived longer, in whatever order they are registered."""
    dead = {DEAD: LONG_AGO, b"deadbee2": LONG_AGO + 1000}
    await scene.connect(ANN)
    names = list(dead)[::-1] if turned else list(dead)
    await commands(scene.redis).hset(registry_key(group_of(ANN)), user_field(ANN), b"".join(names))
    removed = await scene.store.remove_processes(dead)
    assert (removed.left, removed.others) == (1, set())
    assert await scene.store.expire_departed(grace=10) == 1
    assert await scene.store.read(ANN) == Presence(online=False, last_seen=LONG_AGO + 1000)


async def test_a_departure_that_was_recorded_keeps_its_time(scene: Scene) -> None:
    """A user who left before the process died left then; the removal of the process does not count again."""
    await scene.connect(ANN, BEN)
    await scene.disconnect(ANN)
    left = await commands(scene.redis).zscore(present_key(group_of(ANN)), user_field(ANN))
    await commands(scene.redis).hset(registry_key(group_of(ANN)), user_field(ANN), DEAD)
    assert (await scene.store.remove_processes({DEAD: 0})).left == 0
    assert await commands(scene.redis).zscore(present_key(group_of(ANN)), user_field(ANN)) == left
    assert await commands(scene.redis).hgetall(registry_key(group_of(ANN))) == {user_field(BEN): b"process1"}


async def test_an_unknown_last_heartbeat_is_now(scene: Scene) -> None:
    """The users of a dead process whose last heartbeat is unknown leave now."""
    await scene.connect(ANN)
    await commands(scene.redis).hset(registry_key(group_of(ANN)), user_field(ANN), DEAD)
    before = int(time.time() * 1000)
    assert (await scene.store.remove_processes({DEAD: 0})).left == 1
    left = await commands(scene.redis).zscore(present_key(group_of(ANN)), user_field(ANN))
    assert before <= left <= time.time() * 1000


async def test_each_missing_registration_is_reported(scene: Scene) -> None:
    """Of several users those are returned who were not registered at this process, whatever is registered elsewhere."""
    assert await scene.connect(ANN, BEN, CAT) == {ANN, BEN, CAT}
    assert await scene.connect(ANN, BEN, CAT) == set()
    assert await scene.connect(ANN, BEN, at=b"process2") == {ANN, BEN}
    await commands(scene.redis).hdel(registry_key(group_of(ANN)), user_field(ANN), user_field(BEN))
    assert await scene.connect(ANN, BEN, CAT) == {ANN, BEN}


async def test_a_user_departs_once(scene: Scene) -> None:
    """The first departure counts, and one of a user who was never announced counts not at all."""
    key = present_key(group_of(ANN))
    await scene.disconnect(ANN)
    assert await commands(scene.redis).zscore(key, user_field(ANN)) is None
    await scene.connect(ANN)
    before = int(time.time() * 1000)
    await scene.disconnect(ANN)
    left = await commands(scene.redis).zscore(key, user_field(ANN))
    assert before <= left <= time.time() * 1000
    earlier = before - 5000
    await commands(scene.redis).zadd(key, {user_field(ANN): earlier})
    await scene.disconnect(ANN)
    assert await commands(scene.redis).zscore(key, user_field(ANN)) == earlier


async def test_removal_reaches_all_users(scene: Scene) -> None:
    """The removal scans all users in steps, however many there are."""
    user_ids = [16 * number + 5 for number in range(3000)]
    await scene.connect(*user_ids)
    key = registry_key(5)
    await commands(scene.redis).hset(key, mapping={user_field(user_id): DEAD for user_id in user_ids[::2]})
    assert (await scene.store.remove_processes({DEAD: LONG_AGO})).left == len(user_ids) // 2
    assert await commands(scene.redis).hlen(key) == len(user_ids) // 2


async def test_lost_registrations_leave_no_user_online(scene: Scene) -> None:
    """Users whose process a writer removed from the registry go offline all the same, or come back."""
    await scene.connect(ANN, BEN, CAT)
    await commands(scene.redis).delete(registry_key(group_of(ANN)), registry_key(group_of(CAT)))
    await scene.changes()
    await scene.disconnect(ANN)
    await scene.connect(BEN)
    await scene.store.expire_departed(grace=0)
    assert await scene.changes() == [(ANN, False)]
    assert (await scene.store.remove_processes({DEAD: LONG_AGO})).left == 1
    # BEN left now, not long ago: the process may have been cut off rather than dead.
    assert await scene.store.expire_departed(grace=10) == 0
    await scene.store.expire_departed(grace=0)
    assert await scene.changes() == [(CAT, False)]


async def test_a_dead_process_is_returned_once(redis: Redis) -> None:
    """A dead process is returned to one caller only, of those that may expire others."""
    expire, other = (Processes(redis, name, deadline=20) for name in (b"process1", b"process2"))
    assert await expire.beat(expire=True) == Beat(was_unknown=True, dead={})
    await commands(redis).zadd(PROCESSES_KEY, {DEAD: LONG_AGO})
    assert await other.beat(expire=False) == Beat(was_unknown=True, dead={})
    first, second = await asyncio.gather(expire.beat(expire=True), other.beat(expire=True))
    assert {**first.dead, **second.dead} == {DEAD: LONG_AGO}
    assert not first.dead or not second.dead
    assert {*await commands(redis).zrange(PROCESSES_KEY, 0, -1)} == {b"process1", b"process2", DEAD}
    assert await expire.unknown({DEAD, b"nobody00"}) == [b"nobody00"]
    await expire.remove([DEAD, b"process1"])
    assert await expire.unknown({DEAD}) == [DEAD]
    assert (await expire.beat(expire=True)).was_unknown


async def test_departure_before_the_clock_stepped_back(scene: Scene) -> None:
    """A departure in the future ends a grace period from now, and not when the clock has caught up."""
    await scene.connect(ANN, BEN, CAT)
    await scene.changes()
    ahead = int(time.time() * 1000) + 3_600_000
    for user_id in (ANN, CAT):
        await scene.disconnect(user_id)
        await commands(scene.redis).zadd(present_key(group_of(user_id)), {user_field(user_id): ahead})
    assert await scene.store.expire_departed(grace=60) == 0
    assert await commands(scene.redis).zscore(present_key(group_of(BEN)), user_field(BEN)) == 0
    assert await scene.store.expire_departed(grace=0) == 2
    assert Counter(await scene.changes()) == {(ANN, False): 1, (CAT, False): 1}
    presence = await scene.store.read(ANN)
    assert presence.last_seen is not None
    assert presence.last_seen <= time.time() * 1000


async def test_last_seen_before_the_clock_stepped_back(scene: Scene) -> None:
    """A last-seen time in the future is read as now, and is stored so from the next heartbeat on."""
    ahead = int(time.time() * 1000) + 400 * 24 * 3_600_000
    key = last_seen_key(group_of(ANN))
    await commands(scene.redis).zadd(key, {user_field(ANN): ahead})
    presence = await scene.store.read(ANN)
    assert presence.last_seen is not None
    assert 0 <= time.time() * 1000 - presence.last_seen < 60_000
    await scene.store.expire_departed(grace=10)
    assert await commands(scene.redis).zscore(key, user_field(ANN)) <= time.time() * 1000


async def test_a_heartbeat_before_the_clock_stepped_back(redis: Redis) -> None:
    """A process that died before the clock stepped back is found dead a deadline from now."""
    ahead = int(time.time() * 1000) + 3_600_000
    await commands(redis).zadd(PROCESSES_KEY, {DEAD: ahead})
    assert (await Processes(redis, b"process1", deadline=20).beat(expire=True)).dead == {}
    recorded = await commands(redis).zscore(PROCESSES_KEY, DEAD)
    assert recorded <= time.time() * 1000

    async def found() -> bool:
        return DEAD in (await Processes(redis, b"process1", deadline=0.05).beat(expire=True)).dead

    assert await eventually(found)


async def test_heartbeats_before_the_clock_stepped_forward(redis: Redis) -> None:
    """After a step no process counts as dead that lived before it; one that is silent from then on is found dead."""
    processes = Processes(redis, b"process1", deadline=0.4)
    await processes.beat(expire=True)
    ages = {b"process0": LONG_AGO - 1, b"process1": LONG_AGO, b"process2": LONG_AGO + 1}
    await commands(redis).zadd(PROCESSES_KEY, ages)
    assert (await processes.beat(expire=True)).dead == {}

    async def found() -> bool:
        return set((await processes.beat(expire=True)).dead) == {b"process0", b"process2"}

    assert await eventually(found)


@pytest.mark.parametrize(
    ("step", "elapsed", "renewed"),
    [
        (0, 1000, False),
        (4000, 1000, False),  # less than half the deadline
        (6000, 1000, True),
        (6000, 0, True),
        (60_000, -1, False),  # the first heartbeat of a process: its own clock shows nothing
        (-6000, 7000, False),  # stepped back
    ],
)
async def test_which_steps_renew_the_heartbeats_of_others(redis: Redis, step: int, elapsed: int, renewed: bool) -> None:
    """A step by more than half the deadline gives all other processes a full deadline from now."""
    now = int(time.time() * 1000)
    other = now - 3000
    await commands(redis).zadd(PROCESSES_KEY, {b"process1": now - max(elapsed, 0) - step, b"process2": other})
    await Script(redis, "heartbeat.lua")(keys=[PROCESSES_KEY], args=[b"process1", 10_000, 0, elapsed])
    score = await commands(redis).zscore(PROCESSES_KEY, b"process2")
    assert (score > other) is renewed


async def test_groups_are_separate(scene: Scene) -> None:
    """A user's presence is stored with the keys of the user's group."""
    await scene.connect(ANN, CAT)
    for user_id in (ANN, CAT):
        assert await commands(scene.redis).zscore(present_key(group_of(user_id)), user_field(user_id)) == 0
