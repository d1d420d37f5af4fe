"""A transport in memory: what was written in which write, and a peer that may stop taking."""

from __future__ import annotations


class MemoryTransport:
    """Keep what is written; while `stuck`, count it as not taken."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.stuck = False
        self.waiting = 0
        self.closing = False
        self.aborted = False
        self.reading = True

    def write(self, data: bytes) -> None:
        """Keep a write."""
        self.writes.append(data)
        if self.stuck:
            self.waiting += len(data)

    def get_write_buffer_size(self) -> int:
        """Return what the peer has not taken."""
        return self.waiting

    def get_extra_info(self, _name: str) -> None:
        """Have no socket."""

    def is_closing(self) -> bool:
        """Tell whether the test said so."""
        return self.closing

    def pause_reading(self) -> None:
        """Note that the peer has to wait."""
        self.reading = False

    def resume_reading(self) -> None:
        """Note that the peer is heard again."""
        self.reading = True

    def close(self) -> None:
        """Note the end."""
        self.closing = True

    def abort(self) -> None:
        """Note the end."""
        self.aborted = self.closing = True
