"""The one writer of a connection: frames gather and leave in one write, and nobody waits for the peer.

What the peer has not taken lies in the transport's buffer; its size is what is bounded. The bound is
looked at after each write, so one connection holds at most the bound and one gathering of frames.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from channels.protocol.codes import Disconnect
from channels.transports.frames import close_frame


class Transport(Protocol):
    """What of `asyncio.Transport` the outbox uses."""

    def write(self, data: bytes) -> None:
        """Send, or keep what the peer does not take at once."""
        ...

    def get_write_buffer_size(self) -> int:
        """Return the bytes kept."""
        ...

    def is_closing(self) -> bool:
        """Tell whether writing is over."""
        ...

    def abort(self) -> None:
        """Drop the connection and what is kept."""
        ...


class Outbox:
    """Gather frames for one transport; after `close` nothing more is written."""

    __slots__ = ("_frames", "_transport", "closed_with", "taken")

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._frames: list[bytes] = []
        self.closed_with: Disconnect | None = None
        self.taken = 0

    def put(self, frame: bytes) -> bool:
        """Gather a frame; return True if it is the first, so that a flush has to be arranged."""
        if self.closed_with is not None:
            return False
        self._frames.append(frame)
        return len(self._frames) == 1

    def flush(self) -> int:
        """Write what was gathered in one go; return the bytes that the peer has not taken yet."""
        frames = self._frames
        if frames:
            self._frames = []
            self.taken += len(frames)
            if not self._transport.is_closing():
                self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))
        return self._transport.get_write_buffer_size()

    def close(self, disconnect: Disconnect) -> None:
        """Write what was gathered and then the closing frame; a second close changes nothing."""
        if self.closed_with is not None:
            return
        self.flush()
        self.closed_with = disconnect
        if not self._transport.is_closing():
            self._transport.write(close_frame(disconnect))

    def abort(self) -> None:
        """Drop the connection without waiting for the peer."""
        self._transport.abort()


class Flushing(Protocol):
    """What a `FlushQueue` flushes."""

    def flush(self) -> int:
        """Write what was gathered; return how many messages these were."""
        ...


class FlushQueue:
    """Flush what gathered frames at the end of this turn of the event loop: one write for what is due together."""

    def __init__(self, sent: Callable[[int], None]) -> None:
        self._sent = sent
        self._dirty: list[Flushing] = []

    def add(self, item: Flushing) -> None:
        """Have `item` flushed soon."""
        if not self._dirty:
            asyncio.get_running_loop().call_soon(self._flush)
        self._dirty.append(item)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        messages = 0
        for item in dirty:
            messages += item.flush()
        self._sent(messages)
