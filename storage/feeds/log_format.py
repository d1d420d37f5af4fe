"""Byte format of a window log, decoded without I/O; `storage/feeds/lua/log.lua` writes it.

8 staging slots of 16 bytes, a header of 48 bytes, then the body, a ring of 16-byte entries. All numbers are big-endian.

    u16 flags    1 building: still being filled · 2 complete: nothing older exists · 4 stars: the owner follows stars
    u16 edits    grows with each merge or drop, so that a concurrent build detects it
    u16 count    entries, staged ones included
    u16 staged   entries in the staging slots; their ids are greater than those of the body
    u64 top      the greatest offset of this epoch
    u64 last     the greatest id, so that inserting a greater one reads the header only
    u64 epoch    below 2^53; offsets of different epochs are not comparable
    u64 floor    the greatest offset that was trimmed: recovery from below it is impossible
    u16 start    the slot of the body's lowest entry
    u16 slots    slots of the body; free ones, after the newest entry, are zero or stale
    u32 edited   Unix second of the last fill, merge or drop; of the beginning while the log is being built

    u64 offset   microsecond of the publication, below 2^53; 0 if never published
    u64 id       ascending; the top bit marks the entry as removed

The staging slots precede the header, so that an entry, the free slots after it and the header are adjacent: an
insertion is one short read and one short write. Every eighth insertion moves the staged entries into the body, where
they overwrite the oldest entries once it is full.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

ENTRY_SIZE = 16  # bytes
STAGED = 8  # slots; a log has up to so many entries more than its window before the oldest are trimmed
AT_HEADER = STAGED * ENTRY_SIZE
AT_BODY = AT_HEADER + 48

_HEADER = struct.Struct(">HHHHQQQQHHI")
_BUILDING = 1
_COMPLETE = 2
_STARS = 4
_REMOVED = 1 << 63
_ID = _REMOVED - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """An entry: `offset` is 0 if it was never published; `removed` if it records a removal."""

    offset: int
    id: int
    removed: bool = False


@dataclass(frozen=True, kw_only=True)
class LogView:
    """A decoded log."""

    flags: int
    edits: int
    top: int
    last: int
    epoch: int
    floor: int
    body: bytes

    @classmethod
    def parse(cls, data: bytes) -> LogView:
        """Decode a log, or only its first `AT_BODY` bytes, which gives a view without entries of the body."""
        flags, edits, count, staged, top, last, epoch, floor, start, slots, _ = _HEADER.unpack_from(data, AT_HEADER)
        # The ring starts anywhere: rotate it, then cut the free slots off and append the staged entries.
        ring, turn = data[AT_BODY : AT_BODY + slots * ENTRY_SIZE], start * ENTRY_SIZE
        body = (ring[turn:] + ring[:turn])[: (count - staged) * ENTRY_SIZE] + data[: staged * ENTRY_SIZE]
        return cls(flags=flags, edits=edits, top=top, last=last, epoch=epoch, floor=floor, body=body)

    @property
    def building(self) -> bool:
        """Whether the log is still being built from the database."""
        return bool(self.flags & _BUILDING)

    @property
    def complete(self) -> bool:
        """Whether nothing older than the lowest entry exists."""
        return bool(self.flags & _COMPLETE)

    @property
    def has_stars(self) -> bool:
        """Whether there is a list of the stars that the owner follows, without which the log cannot be used."""
        return bool(self.flags & _STARS)

    @cached_property
    def entries(self) -> Sequence[Entry]:
        """All entries by ascending id."""
        return [
            Entry(offset=offset, id=word & _ID, removed=word >= _REMOVED)
            for offset, word in struct.iter_unpack(">QQ", self.body)
        ]

    def since(self, epoch: int, offset: int) -> list[Entry] | None:
        """Return what was published after `offset`, lowest offset first; None if that is not known completely."""
        if epoch != self.epoch or not self.floor <= offset <= self.top:
            return None
        return self._after(offset)

    def retained(self) -> list[Entry]:
        """Return all published entries that the log still holds, lowest offset first."""
        return self._after(self.floor)

    def _after(self, offset: int) -> list[Entry]:
        return sorted((entry for entry in self.entries if entry.offset > offset), key=lambda entry: entry.offset)


def parse_epoch(text: str) -> int | None:
    """Return the number of an epoch sent by a client; None if the text cannot be one."""
    # `isascii` excludes digits of other scripts, which `isdigit` and `int` accept; 2^53 has 16 digits.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else None
