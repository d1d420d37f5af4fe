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
from tests.support.eventually import eventually
from tests.support.memory_engine import EngineRedis, MemoryEngine, group_of
from tests.support.virtual_loop import turns

PROCESS = b"process1"


class Scene:
    """A registry on an in-memory engine, and the connected users."""

    def __init__(self) -> None:
        self.engine = MemoryEngine(seed=1, flaws=0)
        self.here: set[int] = set()
        redis = cast(RedisClient, EngineRedis(self.engine))
        self.registry = Registry(redis, PROCESS, group_of, lambda user_id: user_id in self.here)


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
