"""What the servers of a replication report, and what follows from it: how far a replica lags, and what rules it out.

Nothing here connects to a server or reads a clock; moments are those of one process's monotonic clock, in seconds.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from storage.postgres.wal_position import WalPosition

# Seconds for which the position of a user's last write is kept, and the largest limit of a lag. A replica in use lacks
# nothing that is older than its limit, so the position may be forgotten after that; the rest is a margin.
POSITION_TTL = 30.0
MAX_LAG = 20.0


class PrimaryStatus(NamedTuple):
    """A report of the primary: a position that covers every commit, the LSN up to which it is on disk, its cluster."""

    position: WalPosition
    flushed: int
    cluster: str


class ReplicaStatus(NamedTuple):
    """A report of a replica: whether it is a standby, what it has replayed, its cluster, and which server it is.

    `server` changes with every start of the server. `moment` is when the report arrived.
    """

    standby: bool
    position: WalPosition
    cluster: str
    server: str
    moment: float


class PrimaryHistory:
    """The primary's reports of the last `window` seconds, by which the lag of a replica is measured.

    Only one clock takes part, so clocks that differ do no harm; and a primary without writes makes no replica lag, as
    the age of the last replayed transaction would.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._reports: deque[tuple[float, int]] = deque()  # moment, flushed LSN; both ascending
        self.latest: PrimaryStatus | None = None

    def add(self, status: PrimaryStatus, moment: float) -> None:
        """Add a report; `moment` is when it was requested, so that it contains every commit before."""
        reports, latest = self._reports, self.latest
        if latest is not None and (
            status.position.timeline != latest.position.timeline or status.flushed < latest.flushed
        ):
            # Another server is the primary now. Positions of the old one prove nothing about it.
            reports.clear()
        self.latest = status
        reports.append((moment, status.flushed))
        while reports[0][0] < moment - self._window:
            reports.popleft()

    @property
    def moment(self) -> float:
        """Return when the last report was requested; minus infinity without one."""
        return self._reports[-1][0] if self._reports else -math.inf

    def lag(self, lsn: int, now: float) -> float:
        """Return for how many seconds a replica that has replayed up to `lsn` may lack commits; at most so many.

        Infinite, if it lacks some from before the history.
        """
        for moment, flushed in reversed(self._reports):
            if flushed <= lsn:
                return now - moment
        return math.inf


def mismatch(status: ReplicaStatus, primary: PrimaryStatus) -> str | None:
    """Return why a server is no replica of the primary, or None if it is one."""
    if status.cluster != primary.cluster:
        return "it belongs to another database cluster"
    if not status.standby:
        return "it is not a standby: it was promoted, or is the primary"
    if status.position.timeline != primary.position.timeline:
        return f"it is on timeline {status.position.timeline}, the primary on {primary.position.timeline}"
    return None


def discontinuity(before: ReplicaStatus, now: ReplicaStatus) -> str | None:
    """Return why a report does not continue the one before it, or None if it does."""
    if now.server != before.server:
        return "another server answers at its address, or the same after a restart"
    if now.position.lsn < before.position.lsn:
        return "its position has gone back"
    return None
