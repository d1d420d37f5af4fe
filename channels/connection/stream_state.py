"""Where one connection stands in one stream, and what is held back while that is being found out."""

from __future__ import annotations

from channels.connection.wire_format import SharedMessage

FEED = "feed"
NOTIFICATIONS = "notifications"
STREAMS = (FEED, NOTIFICATIONS)


class StreamState:
    """Pass publications on in the order of their offsets, each once; while held, gather them.

    HeldStreams nest: a connect holds its streams until its reply is written, and a lost pub/sub connection
    holds them until what was missed is recovered. What is gathered beyond `limit` is a loss that
    `overflowed` admits.
    """

    __slots__ = ("_held", "_holds", "_limit", "epoch", "name", "offset", "overflowed")

    def __init__(self, name: str, *, limit: int) -> None:
        self.name = name
        self.epoch: str | None = None  # None until the stream was first read
        self.offset = 0
        self.overflowed = False
        self._limit = limit
        self._holds = 1
        self._held: list[tuple[int, SharedMessage]] = []

    def offer(self, offset: int, message: SharedMessage) -> bool:
        """Return True if a publication is to be sent now; offset 0 stands outside the stream's order."""
        if not self._holds and offset > self.offset:  # nearly always, and for very many at once
            self.offset = offset
            return True
        if self._holds:
            if len(self._held) < self._limit:
                self._held.append((offset, message))
            else:
                self.overflowed = True
            return False
        return self._is_new(offset)

    def advance(self, epoch: str, offset: int) -> None:
        """Note that the client has everything up to an offset."""
        self.epoch = epoch
        self.offset = max(self.offset, offset)

    def hold(self) -> None:
        """Gather from now on, until as many releases."""
        self._holds += 1

    def release(self) -> list[SharedMessage]:
        """End one hold; after the last, return what was gathered and is new, in order."""
        self._holds -= 1
        if self._holds:
            return []
        held, self._held = self._held, []
        return [message for offset, message in held if self._is_new(offset)]

    def _is_new(self, offset: int) -> bool:
        if offset:
            if offset <= self.offset:
                return False
            self.offset = offset
        return True
