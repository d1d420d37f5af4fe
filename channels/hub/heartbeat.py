"""Heartbeat of this process; expires dead processes and publishes presence changes.

Every process does the same, and the scripts in Redis make sure that each change is made once. The cost is a few short
script calls per interval; the list of all online users is scanned only after a process has died.
"""

from __future__ import annotations

import asyncio
import math
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
    """Record of this process's own beats; decides whether it may expire other processes.

    An outage of Redis silences every process. The first one back would then take all others for dead. A process
    therefore expires others only after it has itself beaten for a whole deadline without a pause.
    """

    def __init__(self, *, deadline: float) -> None:
        self._deadline = deadline
        self._since = self._last = -math.inf  # no beat yet

    def record(self, now: float) -> None:
        """Record a beat at a time in seconds."""
        if now - self._last > self._deadline / 2:
            self._since = now
        self._last = now

    def may_expire(self, now: float) -> bool:
        """Return whether the beats cover the whole deadline without a pause longer than half of it."""
        return now - self._since >= self._deadline and now - self._last <= self._deadline / 2


class Heartbeat:
    """Heartbeat of this process; `on_expired` is called if another process had taken this one for dead."""

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
        # A beat that is under way during `unregister` would put the process back on the list after its removal.
        self._lock = asyncio.Lock()
        self._unregistered = False

    async def register(self) -> None:
        """Add this process to the live processes, before any user is registered at it; retry until Redis responds."""
        while True:
            if await self._attempt(self._beat(expire=False)) is not None:
                return
            await self._pause()

    async def run(self) -> None:
        """Beat, remove dead processes and expire departed users until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run_beats(), name="live-beats")
            group.create_task(self._run_removals(), name="live-removals")

    async def unregister(self, process_id: bytes) -> None:
        """Remove this process once no user is registered at it any more; raise `LiveUnavailableError`."""
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
                # The registrations went with the list entry, so publications may have passed this process by.
                log.warning("live_process_was_expired")
                self._on_expired()
            if beat.dead:
                self._dead.update(beat.dead)
                self._dead_found.set()
            await self._attempt(self._expire_departed())

    async def _run_removals(self) -> None:
        # A task of its own: scanning all online users can outlast the deadline within which this process must beat.
        while True:
            await self._dead_found.wait()
            self._dead_found.clear()
            dead, self._dead = self._dead, {}
            # After a failure the processes are still on the list, and are found dead again by this process or another.
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
            # Only after its registrations are gone: if this process died in between, a process that is off the list
            # would not be found dead again by itself.
            await self._processes.remove(dead)
            log.warning("live_processes_expired", processes=[name.decode() for name in dead], users=removed.left)
            self._metrics.live_processes_expired(len(dead))
            await self._expire_departed()
            # A process that users are registered at, but that is not on the list, died while Redis had lost the list.
            dead = dict.fromkeys(await self._processes.unknown(removed.others), 0)

    async def _expire_departed(self) -> None:
        expired = await self._presence.expire_departed(grace=self._settings.presence_grace)
        if expired:
            self._metrics.live_offline(expired)

    async def _pause(self) -> None:
        # Jittered, so that the processes of a service do not all beat at the same moment.
        await asyncio.sleep(self._settings.presence_interval * random.uniform(0.8, 1.2))

    @staticmethod
    async def _attempt(work: Awaitable[T]) -> T | None:
        """Return the result, or None while Redis is unavailable; the caller tries again in its next round."""
        try:
            return await work
        except LiveUnavailableError as error:
            log.warning("live_heartbeat_failed", error=str(error))
            return None
