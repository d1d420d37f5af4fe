"""The faults of the soak. Each breaks something, repairs it, and returns the time from which recovery is measured."""

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
class FaultContext:
    """What faults work on; `cleanups` run after every device has recovered."""

    cluster: Cluster
    devices: Sequence[Device]
    rng: random.Random
    cleanups: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def node(self) -> Node:
        """Choose the live process of a random device, so that it rarely is a process without clients."""
        url = self.rng.choice(self.devices).url
        return next((node for node in self.cluster.nodes if node.url == url), self.cluster.nodes[0])

    def sample(self, share: float) -> list[Device]:
        """Choose a random share of the devices."""
        return self.rng.sample(list(self.devices), max(1, int(len(self.devices) * share)))

    async def run_cleanups(self) -> None:
        """Run the cleanups, last first."""
        while self.cleanups:
            await self.cleanups.pop()()

    async def pause(self, least: float, most: float) -> None:
        """Wait for a random time, in seconds: the length of an outage."""
        await asyncio.sleep(self.rng.uniform(least, most))


Fault = Callable[[FaultContext], Awaitable[float]]


async def cut_devices(context: FaultContext) -> float:
    """Many devices lose their connections one after the other."""
    for device in context.sample(0.6):
        device.cut()
        await context.pause(0.0, 0.1)
    return time.monotonic()


async def slow_readers(context: FaultContext) -> float:
    """Devices stop reading; some of them have requested more than the write buffer holds."""
    slow = context.sample(0.3)
    stalls = [
        *(device.stall(context.rng.uniform(3, 7), greedy=True) for device in slow[:3]),
        *(device.stall(context.rng.uniform(0.5, 5), greedy=False) for device in slow[3:]),
    ]
    await asyncio.gather(*stalls)
    return time.monotonic()


async def network_reset(context: FaultContext) -> float:
    """Every connection to one live process is reset at once."""
    await context.node().front.cut()
    return time.monotonic()


async def network_silence(context: FaultContext) -> float:
    """The network between one live process and its clients is silent; open connections may stay so forever."""
    return await _silence(context, [context.node().front], 1, 8)


async def kill_live(context: FaultContext) -> float:
    """One live process is killed and restarted later."""
    node = context.node()
    await node.service.kill()
    context.cleanups.append(node.service.start)
    return time.monotonic()


async def drain_live(context: FaultContext) -> float:
    """One live process is stopped gracefully and restarted later."""
    node = context.node()
    code = await node.service.stop()
    assert code == 0, f"{node.service.name} ended with {code}"
    context.cleanups.append(node.service.start)
    return time.monotonic()


async def restart_redis(context: FaultContext) -> float:
    """Redis is killed and restarted with its data."""
    await asyncio.to_thread(context.cluster.redis.kill)
    await context.pause(0, 1)
    await asyncio.to_thread(context.cluster.redis.start)
    return time.monotonic()


async def redis_outage(context: FaultContext) -> float:
    """Redis is not running for seconds."""
    await asyncio.to_thread(context.cluster.redis.kill)
    await context.pause(2, 9)
    await asyncio.to_thread(context.cluster.redis.start)
    return time.monotonic()


async def redis_emptied(context: FaultContext) -> float:
    """Redis is restarted without data."""
    await context.cluster.empty_redis()
    return time.monotonic()


async def redis_flushed(context: FaultContext) -> float:
    """Redis loses all data while every device stays connected, so that the next publications reach no device."""
    flushed = time.monotonic()
    await context.cluster.flush_redis()
    await context.pause(1, 3)
    return flushed


async def redis_cut(context: FaultContext) -> float:
    """The connections of one live process to Redis are reset."""
    await context.node().back.cut()
    return time.monotonic()


async def redis_silence(context: FaultContext) -> float:
    """The network between one live process and Redis is silent; open connections may stay so forever."""
    return await _silence(context, [context.node().back], 1, 9)


async def redis_silence_for_all(context: FaultContext) -> float:
    """The network between Redis and all processes is silent."""
    cluster = context.cluster
    return await _silence(context, [cluster.rest, *(node.back for node in cluster.nodes)], 1, 9)


async def _silence(context: FaultContext, proxies: Sequence[TcpProxy], least: float, most: float) -> float:
    for proxy in proxies:
        proxy.freeze()
    await context.pause(least, most)
    for proxy in proxies:
        if context.rng.random() < 0.5:
            proxy.abandon_connections()
        else:
            proxy.thaw()
    return time.monotonic()


_SHORT: Sequence[Fault] = (cut_devices, network_reset, kill_live, drain_live, restart_redis, redis_emptied, redis_cut)
_LONG: Sequence[Fault] = (
    slow_readers,
    network_silence,
    redis_outage,
    redis_flushed,
    redis_silence,
    redis_silence_for_all,
)
SHORT_FAULTS: Mapping[str, Fault] = {fault.__name__: fault for fault in _SHORT}
ALL_FAULTS: Mapping[str, Fault] = {fault.__name__: fault for fault in (*_SHORT, *_LONG)}
