"""Positions in PostgreSQL's write-ahead log (WAL), which order the commits of a server."""

from __future__ import annotations

import re
from typing import NamedTuple

TIMELINE_BITS, LSN_BITS = 32, 64
_TIMELINE_DIGITS, _LSN_DIGITS = TIMELINE_BITS // 4, LSN_BITS // 4
_DIGITS = re.compile(f"[0-9a-f]{{{_TIMELINE_DIGITS + _LSN_DIGITS}}}", re.ASCII)


class WalPosition(NamedTuple):
    """A place in the WAL: `lsn` in bytes from its beginning, on a timeline, which grows with every promotion."""

    timeline: int
    lsn: int

    def covers(self, other: WalPosition) -> bool:
        """Return whether a server that has replayed up to here has every commit up to `other`.

        This is not the order of tuples: a standby may receive a new timeline before it has replayed what precedes it.
        """
        return self.timeline >= other.timeline and self.lsn >= other.lsn

    def joined(self, other: WalPosition) -> WalPosition:
        """Return the position that covers both and no more."""
        return WalPosition(max(self.timeline, other.timeline), max(self.lsn, other.lsn))

    def encode(self) -> str:
        """Return 24 hexadecimal digits, whose order is that of tuples."""
        return f"{self.timeline:0{_TIMELINE_DIGITS}x}{self.lsn:0{_LSN_DIGITS}x}"

    @classmethod
    def decode(cls, digits: str) -> WalPosition:
        """Return the position of such digits; raise `ValueError`."""
        if _DIGITS.fullmatch(digits) is None:
            raise ValueError("no position in the WAL")
        return cls(int(digits[:_TIMELINE_DIGITS], 16), int(digits[_TIMELINE_DIGITS:], 16))


START = WalPosition(0, 0)  # every server covers it
UNREACHABLE = WalPosition((1 << TIMELINE_BITS) - 1, (1 << LSN_BITS) - 1)  # no server covers it
