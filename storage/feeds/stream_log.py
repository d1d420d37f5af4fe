"""Port of a live stream: the log from which a user's clients recover what they missed.

Implemented by the home feed (`storage.feeds.feeds`) and the notification log (`storage.feeds.notification_log`); one
contract suite runs against both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from storage.feeds.log_format import Entry, LogView, parse_epoch


class StreamPosition(NamedTuple):
    """A place in a stream; `offset` is comparable within one `epoch` only."""

    epoch: str
    offset: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamDelta:
    """Entries of a stream in the order of their offsets, and the position after the last one."""

    entries: Sequence[Entry]
    position: StreamPosition

    @classmethod
    def since(cls, view: LogView | None, epoch: str, offset: int) -> StreamDelta | None:
        """Return what a log holds after a position, as `StreamLog.since` defines it; `view` is None without a log."""
        known = parse_epoch(epoch)
        entries = None if view is None or known is None else view.since(known, offset)
        return None if view is None or entries is None else cls._of(view, entries)

    @classmethod
    def retained(cls, view: LogView) -> StreamDelta:
        """Return all published entries that a log still holds."""
        return cls._of(view, view.retained())

    @classmethod
    def _of(cls, view: LogView, entries: Sequence[Entry]) -> StreamDelta:
        return cls(entries=entries, position=StreamPosition(str(view.epoch), view.top))


class StreamLog(Protocol):
    """The logs of one stream, one for each user. All methods raise `UnavailableError` if an engine does not answer.

    Guarantees:

    - Offsets grow with each publication within an epoch, also if the server's clock steps back. They are positive and
      below 2^53, so a JavaScript client can hold them.
    - A rebuild, or the loss of a log, starts another epoch; epochs are opaque text for clients.
    - A publication after `position`, `since` or `retained` returned has an offset greater than the returned position.
    - An entry that is published again has only its latest offset, so it occurs once in a delta.
    """

    async def position(self, user_id: int) -> StreamPosition:
        """Return the end of a user's stream; create the log if there is none."""
        ...

    async def since(self, user_id: int, epoch: str, offset: int) -> StreamDelta | None:
        """Return everything published after a position; nothing is missing from it.

        Returns None if that is unknown: the log does not exist, `epoch` is another one or malformed, entries above
        `offset` have been trimmed, or `offset` is greater than any that was given. The client must then read again.
        """
        ...

    async def retained(self, user_id: int) -> StreamDelta:
        """Return every published entry that the log still holds; create the log if there is none."""
        ...
