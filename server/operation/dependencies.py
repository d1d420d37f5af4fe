"""Measure the dependencies of a process: check each at regular times, whether or not `/readyz` is requested."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import structlog

from server.operation.health import Health

INTERVAL = 5.0  # seconds

log = structlog.get_logger(__name__)


class DependencyRecorder(Protocol):
    """Metrics of dependencies."""

    def dependency_checked(self, dependency: str, *, available: bool) -> None:
        """Record the result of a check."""
        ...

    def disk_measured(self, *, free: int, full: bool) -> None:
        """Record the free bytes of the data directory's disk, and whether it counts as full."""
        ...


class Space(Protocol):
    """The data directory, and whether its disk counts as full."""

    directory: Path
    full: bool


class DependencyWatch:
    """Sampler of the checks of `/readyz`, and with `space` of the data directory's disk."""

    def __init__(
        self,
        health: Health,
        metrics: DependencyRecorder,
        *,
        space: Space | None = None,
        interval: float = INTERVAL,
    ) -> None:
        self._health = health
        self._metrics = metrics
        self._space = space
        self._interval = interval  # seconds

    async def run(self) -> None:
        """Check until cancelled; for the first time after an interval, when everything has connected."""
        while True:
            await asyncio.sleep(self._interval)
            await self.measure()

    async def measure(self) -> None:
        """Check every dependency once."""
        failures, degradations = await asyncio.gather(self._health.failures(), self._health.degradations())
        failing: Mapping[str, str] = {**failures, **degradations}
        for name in self._health.dependencies:
            self._metrics.dependency_checked(name, available=name not in failing)
        if self._space is not None:
            await self._measure_disk(self._space)

    async def _measure_disk(self, space: Space) -> None:
        try:
            # A file system that hangs, as one of the network, must not stop the event loop.
            usage = await asyncio.to_thread(shutil.disk_usage, space.directory)
        except OSError as error:
            log.warning("disk_not_measured", directory=str(space.directory), error=str(error))
        else:
            self._metrics.disk_measured(free=usage.free, full=space.full)
