"""The replicas of a database: which of them may be read from, decided in memory from what their tasks report."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from storage.errors import UnavailableError
from storage.postgres.database import Queryable
from storage.postgres.replica import INTERVAL
from storage.postgres.replication import PrimaryHistory, PrimaryStatus, ReplicaStatus, mismatch
from storage.postgres.wal_position import START, WalPosition

RETRY_PAUSE = 1.0  # seconds until a replica that failed is connected to again
SILENCE = 1.0  # seconds without a report of the primary, after which it counts as away
MAX_AGE = 0.25  # seconds since the last report, after which a replica counts as silent and gets no new reads

log = structlog.get_logger(__name__)


class Primary(Protocol):
    """The primary's position; see `PrimaryServer`."""

    async def status(self) -> PrimaryStatus:
        """Return a report that covers everything committed before the call; raise `UnavailableError`."""
        ...


class FollowedReplica(Queryable, Protocol):
    """A replica that reports its status while `follow` runs; see `Replica`."""

    @property
    def name(self) -> str:
        """Host and port."""
        ...

    @property
    def status(self) -> ReplicaStatus | None:
        """The last report, or None without a connection."""
        ...

    async def follow(self, changed: Callable[[], None]) -> None:
        """Connect, and call `changed` after each report until there is an error; raise `UnavailableError`."""
        ...


class ReplicaMetrics(Protocol):
    """Metrics of the replicas."""

    def replica_measured(self, replica: str, *, lag: float, in_use: bool) -> None:
        """Record for how many seconds a replica may lack commits (infinite if unknown), and whether it gets reads."""
        ...


class Replicas:
    """The replicas and the tasks that follow them and the primary.

    A replica is used while it reports, is a standby of the primary on the same timeline, and may lack commits of the
    last `max_lag` seconds only. Otherwise it is left out until that is so again. While the primary is away, for up to
    `stale_reads` seconds, the replicas go on that were used until then.
    """

    def __init__(
        self,
        primary: Primary,
        replicas: Sequence[FollowedReplica],
        *,
        max_lag: float,
        stale_reads: float = 0,
        metrics: ReplicaMetrics | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._primary = primary
        self._replicas = replicas
        self._max_lag = max_lag
        self._stale_reads = stale_reads
        self._metrics = metrics
        self._clock = clock
        self._history = PrimaryHistory(max_lag)
        self._in_use: dict[str, bool] = {}

    async def run(self) -> None:
        """Follow the servers until cancelled; before this, no replica is used."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_primary())
            for replica in self._replicas:
                group.create_task(self._follow(replica))

    def choose(self, position: WalPosition) -> FollowedReplica | None:
        """Return a replica in use that has replayed up to `position`, or None; of several a random one."""
        now = self._clock()
        fresh = [
            replica
            for replica in self._replicas
            if replica.status is not None and replica.status.position.covers(position) and not self._fault(replica, now)
        ]
        return random.choice(fresh) if fresh else None

    async def require_one(self) -> None:
        """Raise `UnavailableError` if no replica is in use."""
        if self.choose(START) is None:
            raise UnavailableError("database", "no replica is in use")

    async def position(self) -> WalPosition:
        """Return a position of the primary that covers everything committed before; raise `UnavailableError`."""
        return (await self._primary.status()).position

    async def replayed(self, position: WalPosition) -> None:
        """Return when no process reads from a replica that has not replayed up to `position`: after `max_lag` at most.

        Every replica counts, also one that is not used here: another process may reach it.
        """
        # The margin is for clocks of other processes that run a little slower.
        end = self._clock() + self._max_lag + INTERVAL
        while self._clock() < end:
            reports = [replica.status for replica in self._replicas]
            if all(report is not None and report.position.covers(position) for report in reports):
                return
            await asyncio.sleep(INTERVAL)

    async def _follow_primary(self) -> None:
        while True:
            requested = self._clock()
            try:
                self._history.add(await self._primary.status(), requested)
            except UnavailableError as error:
                # Without reports every replica soon counts as lagging, and reads go where writes go.
                log.info("primary_position_unknown", error=str(error))
                await asyncio.sleep(RETRY_PAUSE)
            else:
                await asyncio.sleep(INTERVAL)

    async def _follow(self, replica: FollowedReplica) -> None:
        while True:
            try:
                await replica.follow(lambda: self._record(replica))
            except UnavailableError as error:
                self._record(replica, str(error))
            await asyncio.sleep(RETRY_PAUSE)

    def _fault(self, replica: FollowedReplica, now: float) -> str | None:
        """Return why a replica is not used, or None if it is."""
        status, primary = replica.status, self._history.latest
        if status is None:
            return "it is not connected"
        if primary is None:
            return "the position of the primary is not known yet"
        if (fault := mismatch(status, primary)) is not None:
            return fault
        if now - status.moment > MAX_AGE:
            return "it does not answer"
        if self._history.lag(status.position.lsn, self._judged_at(now)) >= self._max_lag:
            return f"it lags {self._max_lag:g} s or more"
        return None

    def _judged_at(self, now: float) -> float:
        """Return when the lag counts: now, or the primary's last report if it is away and stale reads are allowed."""
        reported = self._history.moment
        return reported if SILENCE <= now - reported < self._stale_reads else now

    def _record(self, replica: FollowedReplica, error: str | None = None) -> None:
        """Record the state of a replica after a report, or after the error that ended its connection."""
        if error is None and self._history.latest is None:
            return  # nothing is known yet
        now, status = self._clock(), replica.status
        fault = error or self._fault(replica, now)
        in_use = fault is None
        if self._metrics is not None:
            lag = math.inf if status is None else self._history.lag(status.position.lsn, now)
            self._metrics.replica_measured(replica.name, lag=lag, in_use=in_use)
        if self._in_use.get(replica.name) == in_use:
            return
        self._in_use[replica.name] = in_use
        if fault is None:
            log.info("replica_used", replica=replica.name)
        else:
            log.warning("replica_not_used", replica=replica.name, reason=fault)
