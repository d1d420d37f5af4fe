"""Positions in PostgreSQL's write-ahead log (WAL), which order the commits of a server."""

from __future__ import annotations

from typing import NamedTuple

TIMELINE_BITS, LSN_BITS = 32, 64


class WalPosition(NamedTuple):
    """A place in the WAL: `lsn` in bytes from its beginning, on a timeline, which grows with every promotion."""

    timeline: int
    lsn: int

    def covers(self, other: WalPosition) -> bool:
        """Return whether a server that has replayed up to here has every commit up to `other`.

        This is not the order of tuples: a standby may receive a new timeline before it has replayed what precedes it.
        """
        return self.timeline >= other.timeline and self.lsn >= other.lsn


START = WalPosition(0, 0)  # every server covers it
UNREACHABLE = WalPosition((1 << TIMELINE_BITS) - 1, (1 << LSN_BITS) - 1)  # no server covers it
