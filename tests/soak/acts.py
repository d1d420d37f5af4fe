"""What goes wrong: each act breaks something, mends it, and returns the moment from which all may be expected."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.soak.cluster import Cluster, Node
from tests.soak.device import Device
from tests.support.tcp_proxy import TcpProxy


@dataclass
class Stage:
    """What acts act on; what they leave to be done once everybody was looked at stands in `afterwards`."""

    cluster: Cluster
    devices: Sequence[Device]
    rng: random.Random
    afterwards: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def node(self) -> Node:
        """Draw a live process: that of any device, so that it is seldom one without clients."""
        url = self.rng.choice(self.devices).url
        return next((node for node in self.cluster.nodes if node.url == url), self.cluster.nodes[0])

    def some(self, share: float) -> list[Device]:
        """Draw a share of the devices."""
        return self.rng.sample(list(self.devices), max(1, int(len(self.devices) * share)))

    async def clear(self) -> None:
        """Do what was left to be done."""
        while self.afterwards:
            await self.afterwards.pop()()

    async def pause(self, least: float, most: float) -> None:
        """Let an outage have a length."""
        await asyncio.sleep(self.rng.uniform(least, most))


Act = Callable[[Stage], Awaitable[float]]


async def cut_devices(stage: Stage) -> float:
    """Many devices lose their connections, one after the other."""
    for device in stage.some(0.6):
        device.cut()
        await stage.pause(0.0, 0.1)
    return time.monotonic()


async def slow_readers(stage: Stage) -> float:
    """Devices stop reading; a few of them have asked for more than may lie unsent before."""
    slow = stage.some(0.3)
    stalls = [
        *(device.stall(stage.rng.uniform(3, 7), greedy=True) for device in slow[:3]),
        *(device.stall(stage.rng.uniform(0.5, 5), greedy=False) for device in slow[3:]),
    ]
    await asyncio.gather(*stalls)
    return time.monotonic()


async def network_reset(stage: Stage) -> float:
    """Every connection to one live process is reset at once."""
    await stage.node().front.cut()
    return time.monotonic()


async def network_silence(stage: Stage) -> float:
    """Nothing passes between one live process and its clients for a while; what stood may never pass again."""
    return await _silence(stage, [stage.node().front], 1, 8)


async def kill_live(stage: Stage) -> float:
    """One live process dies, and is started again later."""
    node = stage.node()
    await node.service.kill()
    stage.afterwards.append(node.service.start)
    return time.monotonic()


async def drain_live(stage: Stage) -> float:
    """One live process is asked to stop, does so in good order, and is started again later."""
    node = stage.node()
    code = await node.service.stop()
    assert code == 0, f"{node.service.name} ended with {code}"
    stage.afterwards.append(node.service.start)
    return time.monotonic()


async def restart_redis(stage: Stage) -> float:
    """Redis dies and comes back with its data."""
    await asyncio.to_thread(stage.cluster.redis.kill)
    await stage.pause(0, 1)
    await asyncio.to_thread(stage.cluster.redis.start)
    return time.monotonic()


async def redis_outage(stage: Stage) -> float:
    """Redis is away for seconds."""
    await asyncio.to_thread(stage.cluster.redis.kill)
    await stage.pause(2, 9)
    await asyncio.to_thread(stage.cluster.redis.start)
    return time.monotonic()


async def redis_emptied(stage: Stage) -> float:
    """Redis comes back without any data."""
    await stage.cluster.empty_redis()
    return time.monotonic()


async def redis_flushed(stage: Stage) -> float:
    """Redis loses all data while everybody stays connected, and nobody is told of what comes next."""
    flushed = time.monotonic()
    await stage.cluster.flush_redis()
    await stage.pause(1, 3)
    return flushed


async def redis_cut(stage: Stage) -> float:
    """The connections of one live process to Redis are reset."""
    await stage.node().back.cut()
    return time.monotonic()


async def redis_silence(stage: Stage) -> float:
    """Nothing passes between one live process and Redis for a while; what stood may never pass again."""
    return await _silence(stage, [stage.node().back], 1, 9)


async def redis_silence_for_all(stage: Stage) -> float:
    """Nothing passes between Redis and anybody for a while."""
    cluster = stage.cluster
    return await _silence(stage, [cluster.rest, *(node.back for node in cluster.nodes)], 1, 9)


async def _silence(stage: Stage, proxies: Sequence[TcpProxy], least: float, most: float) -> float:
    for proxy in proxies:
        proxy.freeze()
    await stage.pause(least, most)
    for proxy in proxies:
        if stage.rng.random() < 0.5:
            proxy.abandon_connections()
        else:
            proxy.thaw()
    return time.monotonic()


_BRIEF: Sequence[Act] = (cut_devices, network_reset, kill_live, drain_live, restart_redis, redis_emptied, redis_cut)
_LONG: Sequence[Act] = (
    slow_readers,
    network_silence,
    redis_outage,
    redis_flushed,
    redis_silence,
    redis_silence_for_all,
)
BRIEF: Mapping[str, Act] = {act.__name__: act for act in _BRIEF}
ALL: Mapping[str, Act] = {act.__name__: act for act in (*_BRIEF, *_LONG)}
