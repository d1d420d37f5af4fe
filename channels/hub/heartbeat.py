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


class Regularity:
    """Tell whether this process has said that it lives often enough to judge others.

    An outage of the engine silences everybody. Whoever comes back first would take all others for dead; so a process
    judges only after it has itself gone without a pause for as long as it lets others be silent.
    """

    def __init__(self, *, deadline: float) -> None:
        self._deadline = deadline
        self._since: float | None = None
        self._last = 0.0

    def beaten(self, now: float) -> None:
        """Note a beat, at a moment in seconds."""
        if self._since is None or now - self._last > self._deadline / 2:
            self._since = now
        self._last = now

    def may_judge(self, now: float) -> bool:
        """Tell whether the beats go back for the whole deadline without a pause of half of it."""
        return (
            self._since is not None and now - self._since >= self._deadline and now - self._last <= self._deadline / 2
        )


class Heartbeat:
    """Keep presence true while this process runs; `forgotten` is called when others had taken it for dead."""

    def __init__(
        self,
        processes: Processes,
        book: PresenceStore,
        forgotten: Callable[[], None],
        settings: LiveSettings,
        metrics: LiveMetrics,
    ) -> None:
        self._processes = processes
        self._book = book
        self._forgotten = forgotten
        self._settings = settings
        self._metrics = metrics
        self._regularity = Regularity(deadline=settings.process_deadline)
        self._dead: dict[bytes, int] = {}
        self._found = asyncio.Event()
        self._beating = asyncio.Lock()
        self._gone = False

    async def enter(self) -> None:
        """Make this process known, before anybody is registered at it; try until the engine answers."""
        while True:
            if await self._attempt(self._beat(judge=False)) is not None:
                return
            await self._pause()

    async def run(self) -> None:
        """Beat, clear and announce until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._attend(), name="live-attend")
            group.create_task(self._clear_all(), name="live-clear")

    async def leave(self, process_id: bytes) -> None:
        """Take this process off the list, when nobody is registered at it any more; raise `LiveUnavailableError`."""
        async with self._beating:
            self._gone = True
            await self._processes.remove([process_id])

    async def _attend(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            await self._pause()
            beat = await self._attempt(self._beat(judge=self._regularity.may_judge(now())))
            if beat is None:
                continue
            if beat.fresh:
                log.warning("live_process_forgotten")
                self._forgotten()
            if beat.dead:
                self._dead.update(beat.dead)
                self._found.set()
            await self._attempt(self._announce())

    async def _clear_all(self) -> None:
        while True:
            await self._found.wait()
            self._found.clear()
            dead, self._dead = self._dead, {}
            # What fails here is found dead again by somebody.
            await self._attempt(self._clear(dead))

    async def _beat(self, *, judge: bool) -> Beat:
        async with self._beating:
            if self._gone:
                return Beat(fresh=False, dead={})
            beat = await self._processes.beat(judge=judge)
        self._regularity.beaten(asyncio.get_running_loop().time())
        return beat

    async def _clear(self, dead: dict[bytes, int]) -> None:
        while dead:
            clearing = await self._book.remove_processes(dead)
            await self._processes.remove(dead)
            log.warning("live_processes_cleared", processes=[name.decode() for name in dead], people=clearing.left)
            self._metrics.live_processes_expired(len(dead))
            await self._announce()
            # Those whom people are registered at and nobody knows have died, too, while the list was lost.
            dead = dict.fromkeys(await self._processes.unknown(clearing.others), 0)

    async def _announce(self) -> None:
        parted = await self._book.expire_departed(grace=self._settings.presence_grace)
        if parted:
            self._metrics.live_offline(parted)

    async def _pause(self) -> None:
        # Not all processes at the same moment.
        await asyncio.sleep(self._settings.presence_interval * random.uniform(0.8, 1.2))

    @staticmethod
    async def _attempt(work: Awaitable[T]) -> T | None:
        """Do something now, or else at a later turn."""
        try:
            return await work
        except LiveUnavailableError as error:
            log.warning("live_attendance_waits", error=str(error))
            return None
