"""The bytes of a window log, read without I/O; `storage/feeds/lua/log.lua` writes them.

8 staging slots of 16 bytes, a header of 48 bytes, then the body, a ring of 16 bytes an entry; big-endian throughout:

    u16 flags    1 building: still being filled · 2 complete: nothing older exists
    u16 edits    grows with each merge or drop, so that whoever is building notices
    u16 count    entries in all
    u16 staged   of these in the staging slots: ids above those of the body
    u64 top      the newest offset ever given in this epoch
    u64 last     the greatest id, so that inserting above it needs to read the header only
    u64 epoch    below 2^53; another epoch is another history
    u64 floor    the greatest offset that was dropped: recovery from below it is impossible
    u16 start    the slot of the body's oldest entry
    u16 slots    of the body; free ones, behind the newest, are zero or stale
    u32 edited   when that last merge or drop was, in Unix seconds

    u64 offset   microseconds of the announcement, below 2^53; 0 = never announced
    u64 id       ascending; the top bit marks the entry as removed

The slots stand before the header, so that an entry, the free slots behind it and the header are one piece: an
insertion is one short read and one short write. Once in eight insertions they are moved into the body, over its
oldest entries when that is full.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

ENTRY_SIZE = 16  # bytes
STAGED = 8  # slots; so many entries a log has above its window before the oldest are dropped
AT_HEADER = STAGED * ENTRY_SIZE
AT_BODY = AT_HEADER + 48

_HEADER = struct.Struct(">HHHHQQQQHHI")
_BUILDING = 1
_COMPLETE = 2
_REMOVED = 1 << 63
_ID = _REMOVED - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One entry: `offset` 0 was never announced; `removed` ones tell of a removal."""

    offset: int
    id: int
    removed: bool = False


@dataclass(frozen=True, kw_only=True)
class LogView:
    """A log as it was read."""

    flags: int
    edits: int
    top: int
    last: int
    epoch: int
    floor: int
    body: bytes

    @classmethod
    def parse(cls, data: bytes) -> LogView:
        """Return the view of a log's bytes, or of its beginning alone, up to the header."""
        flags, edits, count, staged, top, last, epoch, floor, start, slots, _ = _HEADER.unpack_from(data, AT_HEADER)
        ring, turn = data[AT_BODY : AT_BODY + slots * ENTRY_SIZE], start * ENTRY_SIZE
        body = (ring[turn:] + ring[:turn])[: (count - staged) * ENTRY_SIZE] + data[: staged * ENTRY_SIZE]
        return cls(flags=flags, edits=edits, top=top, last=last, epoch=epoch, floor=floor, body=body)

    @property
    def building(self) -> bool:
        """Say whether the log is being filled from the database."""
        return bool(self.flags & _BUILDING)

    @property
    def complete(self) -> bool:
        """Say whether nothing older than the lowest entry exists."""
        return bool(self.flags & _COMPLETE)

    @cached_property
    def entries(self) -> Sequence[Entry]:
        """All entries, by ascending id."""
        return [
            Entry(offset=offset, id=word & _ID, removed=word >= _REMOVED)
            for offset, word in struct.iter_unpack(">QQ", self.body)
        ]

    def since(self, epoch: int, offset: int) -> list[Entry] | None:
        """Return what was announced after `offset`, oldest first; None when that cannot be told any more."""
        if epoch != self.epoch or not self.floor <= offset <= self.top:
            return None
        return self._after(offset)

    def retained(self) -> list[Entry]:
        """Return all published entries that the log still holds, lowest offset first."""
        return self._after(self.floor)

    def _after(self, offset: int) -> list[Entry]:
        return sorted((entry for entry in self.entries if entry.offset > offset), key=lambda entry: entry.offset)


def parse_epoch(text: str) -> int | None:
    """Return the number of an epoch that a client names; None for what cannot be one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else None
