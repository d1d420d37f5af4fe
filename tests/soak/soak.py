"""A soak: constant traffic and small faults, and one large fault after the other, each followed by a check."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.soak.cluster import Cluster
from tests.soak.device import Device
from tests.soak.faults import Fault, FaultContext
from tests.soak.population import Population
from tests.soak.report import Report
from tests.soak.traffic import Traffic
from tests.support.eventually import eventually

SETTLE_TIMEOUT = 30.0  # seconds for the remaining work after the last fault
POLL_INTERVAL = 0.05  # seconds


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The length, the faults, the users and the devices per user; `within` is the time to recover in seconds."""

    seconds: float
    faults: Mapping[str, Fault]
    users: int
    devices: int
    within: float


async def run_soak(cluster: Cluster, report: Report, plan: Plan) -> None:
    """Run faults with the report's seed for the plan's time, then check every device.

    Raise AssertionError if a device has not recovered from a fault within the plan's time.
    """
    rng, begun = random.Random(report.seed), time.monotonic()
    async with Population.running(cluster, report, user_count=plan.users, devices=plan.devices) as population:
        traffic, context = Traffic(population, report, rng), FaultContext(cluster, population.devices, rng)
        await eventually(lambda: all(device.connected for device in population.devices), within=SETTLE_TIMEOUT)
        async with traffic.running():
            for name in _shuffled(plan.faults, rng):
                if report.seconds >= plan.seconds:
                    break
                async with _small_faults(context):
                    repaired = await plan.faults[name](context)
                    report.faults[name] += 1
                    report.record_recovery(name, await _wait_for_recovery(population, repaired, plan.within, name))
                    await context.run_cleanups()
                    report.seconds = time.monotonic() - begun
        await wait_until_consistent(population)
        await _assert_nothing_lost(population, traffic)


def _shuffled(faults: Mapping[str, Fault], rng: random.Random) -> Iterator[str]:
    """Yield the names of faults in random order, each once before any is repeated."""
    while True:
        yield from rng.sample(list(faults), len(faults))


@asynccontextmanager
async def _small_faults(context: FaultContext) -> AsyncIterator[None]:
    """Cut or stall single devices at random until the end of the block."""

    async def disturb() -> None:
        while True:
            await asyncio.sleep(context.rng.expovariate(1.5))
            device = context.rng.choice(context.devices)
            if context.rng.random() < 0.7:
                device.cut()
            else:
                await device.stall(context.rng.uniform(0.1, 1.0), greedy=False)

    task = asyncio.create_task(disturb())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _wait_for_recovery(population: Population, since: float, within: float, name: str) -> float:
    """Wait until every device has everything from before the repair; return the time of the slowest."""
    expected, slowest = await population.expected_state(), 0.0
    waiting: dict[str, float] = {}
    while lagging := population.lagging(expected.still_valid(await population.expected_state()), since):
        _assert_no_violations(population.devices)
        waiting = {device: seconds for device, (seconds, _) in lagging.items()}
        late = {device: item for device, item in lagging.items() if item[0] > within}
        assert not late, f"after {name}, not recovered within {within} s: {late}"
        slowest = max(slowest, *waiting.values())
        await asyncio.sleep(POLL_INTERVAL)
    return slowest


async def wait_until_consistent(population: Population) -> None:
    """Wait until every device shows exactly what the API returns."""

    async def consistent() -> bool:
        for member in population.members:
            feed = {item["id"] for item in await population.api.read_all(member.token, "feed")}
            inbox = {item["id"]: item for item in await population.api.read_all(member.token, "notifications")}
            for device in member.devices:
                _assert_shows(device, feed, inbox)
        return not population.lagging(await population.expected_state(), 0.0)

    await eventually(consistent, within=SETTLE_TIMEOUT)
    _assert_no_violations(population.devices)


def _assert_shows(device: Device, feed: set[str], inbox: dict[str, dict[str, object]]) -> None:
    view = device.view
    assert view.photos == feed, f"{device.name} differs in {view.photos ^ feed}"
    # The notifications of a deleted photo are deleted with it, without a publication.
    shown = {note: item for note, item in view.notifications.items() if item["photo_id"] not in view.removed}
    assert shown.keys() == inbox.keys(), f"{device.name} differs in the notifications {shown.keys() ^ inbox.keys()}"
    for note, item in inbox.items():
        for name in ("count", "text", "photo_id"):
            assert shown[note][name] == item[name], f"{device.name}: {name} of {note}"


async def _assert_nothing_lost(population: Population, traffic: Traffic) -> None:
    photos = (await population.expected_state()).photos
    lost = traffic.photos.keys() - photos
    assert not lost, f"acknowledged and lost: {lost}"
    unacknowledged = photos - traffic.photos.keys() - traffic.deleting
    # The end of the soak may cut off the response to one upload.
    assert len(unacknowledged) <= 1, f"never acknowledged, but present: {unacknowledged}"


def _assert_no_violations(devices: Sequence[Device]) -> None:
    faults = {device.name: device.view.violations for device in devices if device.view.violations}
    assert not faults, f"violations: {faults}"
