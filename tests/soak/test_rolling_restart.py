"""A deployment under load: each live process is replaced, and nobody misses anything or comes back in a storm."""

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
from tests.soak.crowd import Crowd
from tests.soak.tally import Tally
from tests.soak.torture import settled
from tests.soak.traffic import Traffic
from tests.support.balancer import Balancer
from tests.support.eventually import eventually
from tests.support.service import Service

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

PEOPLE, DEVICES = 6, 10
DELAY, WINDOW, RATE = 1.5, 2.0, 18.0  # seconds, seconds, connections a second
SETTINGS = {
    "PICSHARE_SERVER__DRAIN_DELAY": str(DELAY),
    "PICSHARE_LIVE__DRAIN_SECONDS": str(WINDOW),
    "PICSHARE_LIVE__DRAIN_RATE": str(RATE),
}
BACKOFF = (0.05, 0.1)  # seconds: a device waits at least the first, and up to the second longer
# Those who are closed within a second plus the jitter come within a second; a busy machine bunches a few more.
MOST = RATE * 1.1 + 1
BUNCHED = 1.3


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
        """Start a live process, and wait until the balancer knows it."""
        port = free_port()
        service = self._cluster.live_service(name, port, self._cluster.redis.url, **SETTINGS)
        self._services.append(service)
        await service.start()
        self._balancer.ports.append(port)
        await eventually(lambda: port in self._balancer.ready)
        return service

    async def replace(self, old: Service, name: str) -> Service:
        """Ask one process to stop, start another meanwhile, and check how the old one leaves."""
        assert old.process is not None
        begun = time.monotonic()
        old.process.send_signal(signal.SIGTERM)
        await eventually(lambda: _says_draining(old), within=DELAY + 5)
        new, code = await asyncio.gather(self.start(name), asyncio.wait_for(old.process.wait(), 30))
        assert code == 0, old.log()[-2000:]
        assert "live_drain_incomplete" not in old.log()
        assert time.monotonic() - begun > DELAY + WINDOW * 0.9
        return new


async def _says_draining(service: Service) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{service.url}/readyz") as answer:
        return answer.status == 503 and (await answer.json()) == {"status": "draining"}


def busiest_second(moments: Sequence[float]) -> int:
    """Return the most of these moments that lie within one second."""
    return max((sum(first <= moment < first + 1 for moment in moments) for first in moments), default=0)


async def test_rolling_restart(cluster: Cluster) -> None:
    """Both processes are replaced under load: readiness off, closes and connects at the pace, nothing missed."""
    tally, started = Tally(seed=1), time.monotonic()
    async with Balancer.running() as balancer, Fleet(cluster, balancer) as fleet:
        old = await asyncio.gather(fleet.start("a"), fleet.start("b"))
        gathered = Crowd.gathered(
            cluster, tally, people=PEOPLE, devices=DEVICES, urls=lambda: [balancer.url], backoff=BACKOFF
        )
        async with gathered as crowd:
            await eventually(lambda: all(device.connected for device in crowd.devices), within=30)
            async with Traffic(crowd, tally, random.Random(1)).running():
                for service, name in zip(old, ("c", "d"), strict=True):
                    begun = time.monotonic()
                    await fleet.replace(service, name)
                    await eventually(lambda: all(device.connected for device in crowd.devices))
                    _paced(service, balancer, begun)
            await settled(crowd)
            tally.seconds = time.monotonic() - started
            _nothing_but_recoveries(tally)


def _nothing_but_recoveries(tally: Tally) -> None:
    """Check that nobody was ended but by the drain, and that everybody recovered both streams each time."""
    print(f"\n{tally.text()}")
    assert tally.closes.keys() == {"3001"}
    assert tally.closes["3001"] >= PEOPLE * DEVICES
    assert tally.connects.keys() == {"new", "recovered"}
    assert tally.connects["recovered"] == 2 * tally.closes["3001"]


def _closes(service: Service) -> list[float]:
    """Return when a process ended its connections, by its own log: this process has more to do than to look."""
    events = [json.loads(line) for line in service.log().splitlines() if '"live_connection_closed"' in line]
    return [datetime.fromisoformat(event["timestamp"]).timestamp() for event in events if event["code"] == 3001]


def _paced(service: Service, balancer: Balancer, begun: float) -> None:
    """Check what a drain looked like: closes over the window, and connects no faster than the pace."""
    closes = _closes(service)
    assert max(closes) - min(closes) > WINDOW * 0.7
    assert busiest_second(closes) <= MOST * BUNCHED
    by_port = Counter(port for moment, port in balancer.accepted if moment > begun)
    for port in by_port:
        moments = [moment for moment, where in balancer.accepted if where == port and moment > begun]
        assert busiest_second(moments) <= MOST * BUNCHED, f"{port}: {busiest_second(moments)} connects in a second"
    everywhere = [moment for moment, _ in balancer.accepted if moment > begun]
    print(f"\n{len(closes)} closed, {busiest_second(closes)} a second; {busiest_second(everywhere)} connects a second")
