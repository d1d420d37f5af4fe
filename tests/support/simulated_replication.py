"""A primary and its replicas in memory, in the time of the running loop: what they have committed and replayed.

They are what `storage.postgres.replicas` knows of servers. A read returns the commits that the server has.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from storage.errors import UnavailableError
from storage.postgres.replica import ANSWER_TIMEOUT, INTERVAL
from storage.postgres.replication import POSITION_TTL, PrimaryStatus, ReplicaStatus
from storage.postgres.wal_position import START, UNREACHABLE, WalPosition

CLUSTER = "1"
_starts, _numbers = itertools.count(1), itertools.count(1)


class Commit(NamedTuple):
    """A commit, and where its record ends."""

    lsn: int
    number: int


class Readable:
    """A server with commits; every query returns them."""

    def __init__(self) -> None:
        self.timeline = 1
        self.commits: list[Commit] = []
        self.down = False

    @property
    def lsn(self) -> int:
        """The position of the last commit."""
        return self.commits[-1].lsn if self.commits else 0

    async def fetch(self, sql: str, *args: object) -> Sequence[Any]:
        """Return the commits; raise `UnavailableError`."""
        if self.down:
            raise UnavailableError("database", "down")
        return list(self.commits)

    async def fetchrow(self, sql: str, *args: object) -> Any:
        """Not used."""
        raise AssertionError(sql)

    fetchval = fetchrow


class SimulatedPrimary(Readable):
    """The primary; writes are commits, and a report takes `delay` seconds to arrive."""

    delay = 0.0

    def commit(self) -> Commit:
        """Commit a write."""
        self.commits.append(Commit(self.lsn + 10, next(_numbers)))
        return self.commits[-1]

    async def status(self) -> PrimaryStatus:
        """Report."""
        if self.down:
            raise UnavailableError("database", "down")
        status = PrimaryStatus(position=WalPosition(self.timeline, self.lsn), flushed=self.lsn, cluster=CLUSTER)
        await asyncio.sleep(self.delay)
        return status


class SimulatedStandby(Readable):
    """A standby, which replays when a test lets it."""

    def __init__(self, name: str, primary: SimulatedPrimary) -> None:
        super().__init__()
        self.name = name
        self.cluster = CLUSTER
        self.standby = True
        self.silent = False
        self.server = str(next(_starts))
        self._primary = primary

    def replay(self, count: int | None = None) -> None:
        """Replay the next commits of the primary, by default all; nothing if this server has others."""
        own, others = self.commits, self._primary.commits
        if others[: len(own)] == own:
            self.timeline = self._primary.timeline
            own += others[len(own) :][:count]

    def restart(self, *, without: int = 0) -> None:
        """Restart, perhaps from an earlier state without the last commits; connections end."""
        self.server = str(next(_starts))
        del self.commits[len(self.commits) - min(without, len(self.commits)) :]

    def report(self) -> ReplicaStatus:
        """Return a report of the present state."""
        position = WalPosition(self.timeline, self.lsn)
        return ReplicaStatus(self.standby, position, self.cluster, self.server, asyncio.get_running_loop().time())


class SimulatedReplica:
    """A standby as one process follows it."""

    def __init__(self, standby: SimulatedStandby) -> None:
        self.name = standby.name
        self.status: ReplicaStatus | None = None
        self.connects = 0
        self._standby = standby

    async def follow(self, changed: Callable[[], None]) -> None:
        """Report until the server is down, silent or restarted."""
        standby = self._standby
        server = standby.server
        self.connects += 1
        try:
            while not standby.down and server == standby.server:
                if standby.silent:
                    await asyncio.sleep(ANSWER_TIMEOUT)
                    break
                self.status = standby.report()
                changed()
                await asyncio.sleep(INTERVAL)
        finally:
            self.status = None
        raise UnavailableError("database", "no answer")

    async def fetch(self, sql: str, *args: object) -> Sequence[Any]:
        """Return the commits of the server whose position is known, and of no other."""
        if self._standby.silent or self.status is None or self.status.server != self._standby.server:
            raise UnavailableError("database", "no answer")
        return await self._standby.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> Any:
        """Not used."""
        raise AssertionError(sql)

    fetchval = fetchrow


class SimulatedPositions:
    """Positions of users as in Redis, which expire, and which a loss of data makes unknown for a time."""

    def __init__(self) -> None:
        self.down = False
        self._complete_since = -POSITION_TTL
        self._kept: dict[int, tuple[WalPosition, float]] = {}

    def lose(self) -> None:
        """Lose all data."""
        self._kept.clear()
        self._complete_since = asyncio.get_running_loop().time()

    async def keep(self, user_id: int, position: WalPosition) -> None:
        """Keep the greater position."""
        self._require_up()
        expiry = asyncio.get_running_loop().time() + POSITION_TTL
        self._kept[user_id] = (max(position, self._of(user_id)), expiry)

    async def of(self, user_id: int) -> WalPosition:
        """Return a user's position."""
        self._require_up()
        if asyncio.get_running_loop().time() - self._complete_since < POSITION_TTL:
            return UNREACHABLE
        return self._of(user_id)

    def _of(self, user_id: int) -> WalPosition:
        position, expiry = self._kept.get(user_id, (START, 0.0))
        return position if asyncio.get_running_loop().time() < expiry else START

    def _require_up(self) -> None:
        if self.down:
            raise UnavailableError("redis", "down")
