"""Keep it true who is online: this process says that it lives, clears dead ones away, and announces who has left.

Every process does the same, and the engine's scripts see to it that each thing is done once. It costs a few short
script calls an interval; everybody who is online is looked at only when a process has died.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from channels.bus.presence_store import PresenceStore
from channels.bus.processes import Beat, Processes
from channels.contract.errors import LiveUnavailableError
from channels.contract.metrics import LiveMetrics
from channels.contract.settings import LiveSettings

log = structlog.get_logger(__name__)

T = TypeVar("T")


class BeatHistory:
    """Tell whether this process has said that it lives often enough to expire others.

    An outage of the engine silences everybody. Whoever comes back first would take all others for dead; so a process
    judges only after it has itself gone without a pause for as long as it lets others be silent.
    """

    def __init__(self, *, deadline: float) -> None:
        self._deadline = deadline
        self._since: float | None = None
        self._last = 0.0

    def record(self, now: float) -> None:
        """Note a beat, at a moment in seconds."""
        if self._since is None or now - self._last > self._deadline / 2:
            self._since = now
        self._last = now

    def may_expire(self, now: float) -> bool:
        """Tell whether the beats go back for the whole deadline without a pause of half of it."""
        return (
            self._since is not None and now - self._since >= self._deadline and now - self._last <= self._deadline / 2
        )


class Heartbeat:
    """Keep presence true while this process runs; `forgotten` is called when others had taken it for dead."""

    def __init__(
        self,
        processes: Processes,
        presence: PresenceStore,
        on_expired: Callable[[], None],
        settings: LiveSettings,
        metrics: LiveMetrics,
    ) -> None:
        self._processes = processes
        self._presence = presence
        self._on_expired = on_expired
        self._settings = settings
        self._metrics = metrics
        self._history = BeatHistory(deadline=settings.process_deadline)
        self._dead: dict[bytes, int] = {}
        self._dead_found = asyncio.Event()
        self._lock = asyncio.Lock()
        self._unregistered = False

    async def register(self) -> None:
        """Make this process known, before anybody is registered at it; try until the engine answers."""
        while True:
            if await self._attempt(self._beat(expire=False)) is not None:
                return
            await self._pause()

    async def run(self) -> None:
        """Beat, clear and announce until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run_beats(), name="live-beats")
            group.create_task(self._run_removals(), name="live-removals")

    async def unregister(self, process_id: bytes) -> None:
        """Take this process off the list, when nobody is registered at it any more; raise `LiveUnavailableError`."""
        async with self._lock:
            self._unregistered = True
            await self._processes.remove([process_id])

    async def _run_beats(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            await self._pause()
            beat = await self._attempt(self._beat(expire=self._history.may_expire(now())))
            if beat is None:
                continue
            if beat.was_unknown:
                log.warning("live_process_was_expired")
                self._on_expired()
            if beat.dead:
                self._dead.update(beat.dead)
                self._dead_found.set()
            await self._attempt(self._expire_departed())

    async def _run_removals(self) -> None:
        while True:
            await self._dead_found.wait()
            self._dead_found.clear()
            dead, self._dead = self._dead, {}
            # What fails here is found dead again by somebody.
            await self._attempt(self._remove_processes(dead))

    async def _beat(self, *, expire: bool) -> Beat:
        async with self._lock:
            if self._unregistered:
                return Beat(was_unknown=False, dead={})
            beat = await self._processes.beat(expire=expire)
        self._history.record(asyncio.get_running_loop().time())
        return beat

    async def _remove_processes(self, dead: dict[bytes, int]) -> None:
        while dead:
            removed = await self._presence.remove_processes(dead)
            await self._processes.remove(dead)
            log.warning("live_processes_expired", processes=[name.decode() for name in dead], users=removed.left)
            self._metrics.live_processes_expired(len(dead))
            await self._expire_departed()
            # Those whom people are registered at and nobody knows have died, too, while the list was lost.
            dead = dict.fromkeys(await self._processes.unknown(removed.others), 0)

    async def _expire_departed(self) -> None:
        expired = await self._presence.expire_departed(grace=self._settings.presence_grace)
        if expired:
            self._metrics.live_offline(expired)

    async def _pause(self) -> None:
        # Not all processes at the same moment.
        await asyncio.sleep(self._settings.presence_interval * random.uniform(0.8, 1.2))

    @staticmethod
    async def _attempt(work: Awaitable[T]) -> T | None:
        """Do something now, or else at a later turn."""
        try:
            return await work
        except LiveUnavailableError as error:
            log.warning("live_heartbeat_failed", error=str(error))
            return None
