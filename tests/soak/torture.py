"""A soak: traffic, small mishaps all the while, and one act after the other, each followed by a look at everybody."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.soak.acts import Act, Stage
from tests.soak.cluster import Cluster
from tests.soak.crowd import Crowd
from tests.soak.device import Device
from tests.soak.tally import Tally
from tests.soak.traffic import Traffic
from tests.support.eventually import eventually

SETTLING = 30.0  # seconds for the last work to be done once nothing disturbs it
POLL = 0.05  # seconds


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long, with which acts, and with how many people and devices of each; `within` is the promise, in seconds."""

    seconds: float
    acts: Mapping[str, Act]
    people: int
    devices: int
    within: float


async def torture(cluster: Cluster, tally: Tally, plan: Plan) -> None:
    """Torture a cluster for some time, by the tally's seed, then check every device.

    After each act every device has to be whole again within what the plan says; else AssertionError.
    """
    rng, begun = random.Random(tally.seed), time.monotonic()
    async with Crowd.gathered(cluster, tally, people=plan.people, devices=plan.devices) as crowd:
        traffic, stage = Traffic(crowd, tally, rng), Stage(cluster, crowd.devices, rng)
        await eventually(lambda: all(device.connected for device in crowd.devices), within=SETTLING)
        async with traffic.running():
            for name in _deck(plan.acts, rng):
                if tally.seconds >= plan.seconds:
                    break
                async with _mishaps(stage):
                    mended = await plan.acts[name](stage)
                    tally.acts[name] += 1
                    tally.took(name, await _whole_again(crowd, mended, plan.within, name))
                    await stage.clear()
                    tally.seconds = time.monotonic() - begun
        await settled(crowd)
        await _everything_acknowledged(crowd, traffic)


def _deck(acts: Mapping[str, Act], rng: random.Random) -> Iterator[str]:
    """Yield the names of acts in random order, each of them before any comes again."""
    while True:
        yield from rng.sample(list(acts), len(acts))


@asynccontextmanager
async def _mishaps(stage: Stage) -> AsyncIterator[None]:
    """Cut a device now and then, and make one read slowly."""

    async def happen() -> None:
        while True:
            await asyncio.sleep(stage.rng.expovariate(1.5))
            device = stage.rng.choice(stage.devices)
            if stage.rng.random() < 0.7:
                device.cut()
            else:
                await device.stall(stage.rng.uniform(0.1, 1.0), greedy=False)

    task = asyncio.create_task(happen())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _whole_again(crowd: Crowd, since: float, within: float, name: str) -> float:
    """Wait until every device has all there was when things were mended; return how long the slowest took."""
    truth, slowest = await crowd.truth(), 0.0
    waiting: dict[str, float] = {}
    while behind := crowd.behind(truth.still(await crowd.truth()), since):
        _no_faults(crowd.devices)
        waiting = {device: seconds for device, (seconds, _) in behind.items()}
        late = {device: lack for device, lack in behind.items() if lack[0] > within}
        assert not late, f"after {name}, not whole again within {within} s: {late}"
        slowest = max(slowest, *waiting.values())
        await asyncio.sleep(POLL)
    return slowest


async def settled(crowd: Crowd) -> None:
    """Wait until every device shows exactly what the API does."""

    async def same() -> bool:
        for member in crowd.members:
            feed = {item["id"] for item in await crowd.api.read_all(member.token, "feed")}
            inbox = {item["id"]: item for item in await crowd.api.read_all(member.token, "notifications")}
            for device in member.devices:
                _same(device, feed, inbox)
        return not crowd.behind(await crowd.truth(), 0.0)

    await eventually(same, within=SETTLING)
    _no_faults(crowd.devices)


def _same(device: Device, feed: set[str], inbox: dict[str, dict[str, object]]) -> None:
    view = device.view
    assert view.photos == feed, f"{device.name} shows {view.photos ^ feed} or not"
    # The notifications of a deleted photo go with it, without a word.
    shown = {note: item for note, item in view.notes.items() if item["photo_id"] not in view.removed}
    assert shown.keys() == inbox.keys(), f"{device.name} shows the notifications {shown.keys() ^ inbox.keys()} or not"
    for note, item in inbox.items():
        for name in ("count", "text", "photo_id"):
            assert shown[note][name] == item[name], f"{device.name}: {name} of {note}"


async def _everything_acknowledged(crowd: Crowd, traffic: Traffic) -> None:
    photos = (await crowd.truth()).photos
    lost = traffic.photos.keys() - photos
    assert not lost, f"acknowledged and lost: {lost}"
    foreign = photos - traffic.photos.keys() - traffic.deleting
    # An upload whose last answer was cut off by the end of the soak is there, too.
    assert len(foreign) <= 1, f"never acknowledged, and there: {foreign}"


def _no_faults(devices: Sequence[Device]) -> None:
    faults = {device.name: device.view.faults for device in devices if device.view.faults}
    assert not faults, f"the promise was broken: {faults}"
