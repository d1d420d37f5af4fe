"""Signals between processes, on one server and on a cluster."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from channels.bus.process_signal import Signal
from storage.redis.client import Redis
from tests.support.eventually import eventually
from tests.support.proxied import ProxiedRedis

pytestmark = [pytest.mark.engines, pytest.mark.cluster]


async def test_a_signal_reaches_every_process_that_receives_it(redis: Redis) -> None:
    """Each receiver is called once connected and once for each signal of its name; others receive nothing."""
    counts = {"first": 0, "second": 0, "other": 0}

    def count(name: str) -> None:
        counts[name] += 1

    receiving = [
        asyncio.create_task(Signal(redis, b"news").receive(lambda: count("first"))),
        asyncio.create_task(Signal(redis, b"news").receive(lambda: count("second"))),
        asyncio.create_task(Signal(redis, b"other").receive(lambda: count("other"))),
    ]
    await eventually(lambda: set(counts.values()) == {1})
    for sent in range(1, 4):
        await Signal(redis, b"news").send()
        await eventually(lambda: counts["first"] == counts["second"] == 1 + sent)  # noqa: B023 - awaited here
    assert counts["other"] == 1
    for task in receiving:
        task.cancel()
    await asyncio.wait(receiving)


async def test_a_lost_connection_counts_as_a_signal(redis: Redis) -> None:
    """After a loss, during which a signal may have been sent, the receiver is called once it is connected again."""
    calls = 0

    def received() -> None:
        nonlocal calls
        calls += 1

    async with ProxiedRedis.of(redis) as engine:
        receiving = asyncio.create_task(Signal(engine, b"news").receive(received))
        await eventually(lambda: calls == 1)
        for proxy in engine.proxies:
            await proxy.cut()
        await eventually(lambda: calls == 2)
        await Signal(redis, b"news").send()
        await eventually(lambda: calls == 3)
        receiving.cancel()
        with suppress(asyncio.CancelledError):
            await receiving
