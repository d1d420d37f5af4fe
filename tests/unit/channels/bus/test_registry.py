"""What the registry writes when a request is late or the outcome of a write is unknown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from channels.bus.redis_client import RedisClient
from channels.bus.registry import Registry
from channels.contract.errors import LiveUnavailableError
from tests.support.eventually import DEADLINE, eventually
from tests.support.memory_engine import EngineRedis, MemoryEngine, group_of
from tests.support.virtual_loop import run_virtually, turns

PROCESS = b"process1"


class AnnouncingRedis(EngineRedis):
    """The engine's client, whose script announces all users that it adds; counts the attempts."""

    def __init__(self, engine: MemoryEngine) -> None:
        super().__init__(engine)
        self.attempts = 0

    async def execute_command(self, *command: Any) -> tuple[list[int], int]:
        """Run the registry's script."""
        self.attempts += 1
        added, _ = await super().execute_command(*command)
        return added, len(added)


class Scene:
    """A registry on an in-memory engine, the connected users, and the announced numbers of users."""

    def __init__(self) -> None:
        self.engine = MemoryEngine(seed=1, flaws=0)
        self.here: set[int] = set()
        self.online: list[int] = []
        self.redis = AnnouncingRedis(self.engine)
        self.registry = Registry(
            cast(RedisClient, self.redis),
            PROCESS,
            group_of,
            lambda user_id: user_id in self.here,
            on_online=self.online.append,
        )


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A running registry."""
    scene = Scene()
    running = asyncio.create_task(scene.registry.run())
    yield scene
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_late_removal(scene: Scene) -> None:
    """A late removal does not register a user who is back, since only a registration may report the user as missing."""
    scene.here = {7}
    await scene.registry.register([7])
    scene.engine.flush()
    scene.registry.unregister(7)
    assert await scene.registry.register([8]) == set()
    assert scene.engine.registry == {}
    assert await scene.registry.register([7]) == {7}


async def test_removal(scene: Scene) -> None:
    """A user who left and stays away is removed."""
    scene.here = {7}
    await scene.registry.register([7])
    assert scene.engine.registry == {7: [PROCESS]}
    scene.here = set()
    scene.registry.unregister(7)
    await eventually(lambda: scene.engine.registry == {})


async def test_only_the_missing_of_many(scene: Scene) -> None:
    """Those who were not registered are returned, and those who were announced are counted, without empty counts."""
    scene.here = {1, 2, 3, 5, 7}
    assert await scene.registry.register([1, 5]) == {1, 5}
    assert await scene.registry.register([1, 2, 3, 5, 7]) == {2, 3, 7}
    assert await scene.registry.register([1, 2, 3, 5, 7]) == set()
    assert sorted(scene.online) == [1, 2, 2]


async def test_all_are_removed_when_the_process_stops(scene: Scene) -> None:
    """The users of all groups are removed although they are connected; without Redis that is an error."""
    scene.here = {1, 2, 3}
    await scene.registry.register([1, 2, 3])
    scene.engine.down = True
    with pytest.raises(LiveUnavailableError):
        await scene.registry.unregister_all([1, 2, 3])
    scene.engine.down = False
    await scene.registry.unregister_all([1, 2])
    assert scene.engine.registry == {3: [PROCESS]}


def test_a_removal_is_retried_until_redis_is_back() -> None:
    """Nothing waits for a removal, so the registry repeats it itself, with pauses."""

    async def main() -> None:
        scene = Scene()
        running = asyncio.create_task(scene.registry.run())
        scene.here = {7}
        await scene.registry.register([7])
        scene.engine.down = True
        scene.here = set()
        scene.registry.unregister(7)
        await asyncio.sleep(10)
        assert 10 <= scene.redis.attempts <= 30
        scene.engine.down = False
        await asyncio.sleep(1)
        assert scene.engine.registry == {}
        assert not running.done()
        running.cancel()

    run_virtually(main())


@pytest.mark.parametrize("down", [False, True])
async def test_a_caller_that_gave_up(scene: Scene, down: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the result nor the failure of a write for a caller that is gone ends the registry."""
    gate = asyncio.Event()
    reply = scene.engine.reply

    async def slow(effect: Callable[[], Any]) -> Any:
        await gate.wait()
        return await reply(effect)

    monkeypatch.setattr(scene.engine, "reply", slow)
    scene.engine.down = down
    scene.here = {7, 9}
    gone = asyncio.create_task(scene.registry.register([7]))
    await eventually(lambda: scene.redis.attempts == 1)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    gate.set()
    await eventually(lambda: scene.registry.uncertain or 7 in scene.engine.registry)
    scene.engine.down = False
    assert await asyncio.wait_for(scene.registry.register([9]), DEADLINE) == {9}


async def test_failed_write(scene: Scene) -> None:
    """A failed write leaves the registry uncertain, since Redis may carry it out after a later one."""
    assert not scene.registry.uncertain
    scene.engine.down = True
    with pytest.raises(LiveUnavailableError):
        await scene.registry.register([7])
    assert scene.registry.uncertain


async def test_a_write_is_complete_before_the_next(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """If one part of a write fails, the other parts are awaited before the next write."""
    scene.here = {1, 2}
    calls = under_way = 0
    reply = scene.engine.reply

    async def slow(effect: Callable[[], Any]) -> Any:
        nonlocal calls, under_way
        calls += 1
        if calls == 1:
            raise RedisConnectionError("the first part fails at once")
        under_way += 1
        await turns(20)
        under_way -= 1
        return await reply(effect)

    monkeypatch.setattr(scene.engine, "reply", slow)
    with pytest.raises(LiveUnavailableError):
        await scene.registry.register([1, 2])
    assert (calls, under_way) == (2, 0)
