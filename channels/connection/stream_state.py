"""The position of one connection in one stream, and the publications queued while it is being determined."""

from __future__ import annotations

from channels.connection.wire_format import SharedMessage

FEED = "feed"
NOTIFICATIONS = "notifications"
STREAMS = (FEED, NOTIFICATIONS)


class StreamState:
    """Lets each publication pass once, in the order of offsets; queues publications while held.

    Holds nest: a connect holds its streams until its reply is written, and a lost pub/sub connection holds them until
    the missed publications are recovered. Publications beyond `limit` in the queue are dropped, and `overflowed` is
    set.
    """

    __slots__ = ("_held", "_holds", "_limit", "epoch", "name", "offset", "overflowed")

    def __init__(self, name: str, *, limit: int) -> None:
        self.name = name
        self.epoch: str | None = None  # None until the stream is read for the first time
        self.offset = 0
        self.overflowed = False
        self._limit = limit
        self._holds = 1
        self._held: list[tuple[int, SharedMessage]] = []

    def offer(self, offset: int, message: SharedMessage) -> bool:
        """Return whether a publication is to be sent now; offset 0 is outside the order of the stream."""
        # The common case comes first and without a further call: one delivery runs this for thousands of connections.
        if not self._holds and offset > self.offset:
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
        """Record that the client has everything up to an offset."""
        self.epoch = epoch
        self.offset = max(self.offset, offset)

    def hold(self) -> None:
        """Queue publications until `release` has been called as often as `hold`."""
        self._holds += 1

    def release(self) -> list[SharedMessage]:
        """End one hold; after the last one, return the queued publications that are new, in order."""
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
