"""The processor time of each component for one unit of work.

Actions are carried out in turn. After each the installation is left alone until it uses no more than before, so that
all that follows from an action is counted with it: events, workers, pushes. What it uses when idle is subtracted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.measuring.processor_time import tree_seconds
from server.measuring.workload import MEGAPIXELS, Action, MeasuringError, Workload

Costs = dict[str, dict[str, float]]  # unit → component → microseconds
# The components that take part in units without events. What others seem to use meanwhile is their idle use, which
# differs a little from one moment to the next.
_PARTS: Mapping[str, frozenset[str]] = {
    "megapixel": frozenset({"api", "media", "picshare"}),
    "page": frozenset({"api", "picshare", "postgres", "redis"}),
    "refresh": frozenset({"api", "picshare", "postgres", "redis"}),
    "connect": frozenset({"live", "picshare", "postgres", "redis"}),
}
_IDLE_SECONDS = 2.0
_STEP = 0.5  # seconds between two looks
_TRIES, _FALLS = 10, 0.8  # the use still falls while each look finds less than this share of the one before
_QUIET = 0.1  # cores above one and a half times the idle use
_LOOKS = 2  # quiet ones in a row
_DEADLINE = 120.0


@dataclass(frozen=True, kw_only=True)
class Components:
    """The process ids of an installation by component; children belong to their parents unless named themselves."""

    pids: Mapping[str, Sequence[int]]

    def seconds(self) -> dict[str, float]:
        """Return the processor time of each component."""
        return {name: tree_seconds(pids) for name, pids in self.pids.items()}


async def measure_units(workload: Workload, components: Components, *, scale: float = 1.0) -> Costs:
    """Return the cost of each unit; `scale` multiplies how often each action is repeated.

    The unit `upload` is the post of a photo with all that follows from it but the work for its pixels and bytes, which
    is the unit `megapixel`.
    """
    meter = _Meter(components)
    await workload.upload(4)  # warms up, and so does the first of every action
    await workload.upload_large(1)
    await meter.rest()
    costs: Costs = {}
    costs["upload"] = await meter.cost(workload.upload, _times(60, scale))
    large = await meter.cost(workload.upload_large, _times(16, scale))
    small_megapixels = 640 * 427 / 1e6
    costs["megapixel"] = {
        name: max(0.0, (large[name] - costs["upload"][name]) / (MEGAPIXELS - small_megapixels)) for name in large
    }
    costs["upload"] = {
        name: max(0.0, cost - small_megapixels * costs["megapixel"][name]) for name, cost in costs["upload"].items()
    }
    for name, action, count in (
        ("like", workload.like, 400),
        ("comment", workload.comment, 200),
        ("follow", workload.follow, 300),
        ("page", workload.page, 1500),
        ("refresh", workload.refresh, 300),
        ("connect", workload.connect, 600),
    ):
        costs[name] = await meter.cost(action, _times(count, scale))
    return {
        unit: {name: cost for name, cost in components.items() if name in _PARTS.get(unit, components)}
        for unit, components in costs.items()
    }


def _times(count: int, scale: float) -> int:
    return max(1, round(count * scale))


class _Meter:
    """Measures actions against the idle use of the components."""

    def __init__(self, components: Components) -> None:
        self._components = components
        self._idle: dict[str, float] = {}  # cores

    async def rest(self) -> None:
        """Wait until the use no longer falls, and record it as the idle use."""
        lowest = float("inf")
        for _ in range(_TRIES):
            self._idle = await self._use()
            cores = sum(self._idle.values())
            if cores > lowest * _FALLS:
                return
            lowest = cores

    async def cost(self, action: Action, count: int) -> dict[str, float]:
        """Return the microseconds of each component for one of `count` repetitions."""
        await action(max(1, count // 10))
        await self.settle()
        before, began = self._components.seconds(), time.monotonic()
        await action(count)
        await self.settle()
        after, passed = self._components.seconds(), time.monotonic() - began
        # The idle use changes with what the installation has to look after, and with the other work of the machine.
        former, self._idle = self._idle, await self._use()
        return {
            name: max(0.0, used - before[name] - (former[name] + self._idle[name]) / 2 * passed) / count * 1e6
            for name, used in after.items()
        }

    async def _use(self) -> dict[str, float]:
        """Return the cores that the components use while nothing is asked of them."""
        before, began = self._components.seconds(), time.monotonic()
        await asyncio.sleep(_IDLE_SECONDS)
        passed = time.monotonic() - began
        return {name: (used - before[name]) / passed for name, used in self._components.seconds().items()}

    async def settle(self) -> None:
        """Wait until the components use no more than when idle; raise `MeasuringError` after two minutes."""
        quiet, deadline = 0, time.monotonic() + _DEADLINE
        limit = sum(self._idle.values()) * 1.5 + _QUIET
        before, began = sum(self._components.seconds().values()), time.monotonic()
        while quiet < _LOOKS:
            if time.monotonic() > deadline:
                raise MeasuringError("The installation did not become idle; measure on a machine without other work.")
            await asyncio.sleep(_STEP)
            now, moment = sum(self._components.seconds().values()), time.monotonic()
            quiet = quiet + 1 if (now - before) / (moment - began) <= limit else 0
            before, began = now, moment
