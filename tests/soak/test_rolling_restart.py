"""A deployment under load: each live process is replaced, without losses and without a reconnect storm."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.engines.private import free_port
from tests.soak.cluster import Cluster, cluster_in
from tests.soak.population import Population
from tests.soak.report import Report
from tests.soak.soak import wait_until_consistent
from tests.soak.traffic import Traffic
from tests.support.balancer import Balancer
from tests.support.eventually import DEADLINE, eventually
from tests.support.service import Service

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

USERS, DEVICES = 6, 10
DELAY, WINDOW, RATE = 1.5, 2.0, 18.0  # seconds, seconds, connections a second
SETTINGS = {
    "PICSHARE_SERVER__DRAIN_DELAY": str(DELAY),
    "PICSHARE_LIVE__DRAIN_SECONDS": str(WINDOW),
    "PICSHARE_LIVE__DRAIN_RATE": str(RATE),
}
BACKOFF = (0.05, 0.1)  # seconds: a fixed delay, and the maximum of the random one
# The devices closed within a second plus the jitter reconnect within a second; a busy machine bunches some more.
MAX_PER_SECOND = RATE * 1.1 + 1
BUNCHING = 1.3


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(engines_dir: Path) -> AsyncIterator[Cluster]:
    """Engines, API and workers; the live processes are the test's own."""
    async with cluster_in(engines_dir / "rolling", live=0) as cluster:
        yield cluster


class Fleet:
    """Live processes behind a balancer, until the end of the block."""

    def __init__(self, cluster: Cluster, balancer: Balancer) -> None:
        self._cluster = cluster
        self._balancer = balancer
        self._services: list[Service] = []

    async def __aenter__(self) -> Fleet:
        return self

    async def __aexit__(self, *_: object) -> None:
        running = [service for service in self._services if service.process and service.process.returncode is None]
        await asyncio.gather(*(service.stop() for service in running))

    async def start(self, name: str) -> Service:
        """Start a live process, and wait until the balancer uses it."""
        port = free_port()
        service = self._cluster.live_service(name, port, self._cluster.redis.url, **SETTINGS)
        self._services.append(service)
        await service.start()
        self._balancer.ports.append(port)
        await eventually(lambda: port in self._balancer.ready)
        return service

    async def replace(self, old: Service, name: str) -> Service:
        """Replace a process: stop it, start another at the same time, and check that the old one drains."""
        assert old.process is not None
        begun = time.monotonic()
        old.process.send_signal(signal.SIGTERM)
        await eventually(lambda: _is_draining(old), within=DELAY + 5)
        new, code = await asyncio.gather(self.start(name), asyncio.wait_for(old.process.wait(), DEADLINE))
        assert code == 0, old.log()[-2000:]
        assert "live_drain_incomplete" not in old.log()
        assert time.monotonic() - begun > DELAY + WINDOW * 0.9
        return new


async def _is_draining(service: Service) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{service.url}/readyz") as response:
        return response.status == 503 and (await response.json()) == {"status": "draining"}


def busiest_second(times: Sequence[float]) -> int:
    """Return the maximum number of these times within one second."""
    return max((sum(first <= item < first + 1 for item in times) for first in times), default=0)


async def test_rolling_restart(cluster: Cluster) -> None:
    """Both processes are replaced under load: not ready, closes and connects at the drain rate, nothing missed."""
    report, started = Report(seed=1), time.monotonic()
    async with Balancer.running() as balancer, Fleet(cluster, balancer) as fleet:
        old = await asyncio.gather(fleet.start("a"), fleet.start("b"))
        running = Population.running(
            cluster, report, user_count=USERS, devices=DEVICES, urls=lambda: [balancer.url], backoff=BACKOFF
        )
        async with running as population:
            await eventually(lambda: all(device.connected for device in population.devices))
            async with Traffic(population, report, random.Random(1)).running():
                for service, name in zip(old, ("c", "d"), strict=True):
                    begun = time.monotonic()
                    await fleet.replace(service, name)
                    await eventually(lambda: all(device.connected for device in population.devices))
                    _assert_paced(service, balancer, begun)
            await wait_until_consistent(population)
            report.seconds = time.monotonic() - started
            _assert_all_recovered(report)


def _assert_all_recovered(report: Report) -> None:
    """Check that only drains closed connections, and that every device recovered both streams each time."""
    print(f"\n{report.text()}")
    assert report.closes.keys() == {"3001"}
    assert report.closes["3001"] >= USERS * DEVICES
    assert report.connects.keys() == {"new", "recovered"}
    assert report.connects["recovered"] == 2 * report.closes["3001"]


def _closes(service: Service) -> list[float]:
    """Return the times of a process's closes from its log, which is more precise than watching them from here."""
    events = [json.loads(line) for line in service.log().splitlines() if '"live_connection_closed"' in line]
    return [datetime.fromisoformat(event["timestamp"]).timestamp() for event in events if event["code"] == 3001]


def _assert_paced(service: Service, balancer: Balancer, begun: float) -> None:
    """Check that a drain spread its closes over the window, and that devices connected at no higher rate."""
    closes = _closes(service)
    assert max(closes) - min(closes) > WINDOW * 0.7
    assert busiest_second(closes) <= MAX_PER_SECOND * BUNCHING
    by_port = Counter(port for moment, port in balancer.accepted if moment > begun)
    for port in by_port:
        times = [moment for moment, where in balancer.accepted if where == port and moment > begun]
        assert busiest_second(times) <= MAX_PER_SECOND * BUNCHING, (
            f"{port}: {busiest_second(times)} connects in a second"
        )
    all_connects = [moment for moment, _ in balancer.accepted if moment > begun]
    print(
        f"\n{len(closes)} closed, {busiest_second(closes)} a second; {busiest_second(all_connects)} connects a second"
    )
