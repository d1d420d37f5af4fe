"""A transport in memory: records each write; its peer may stop reading."""

from __future__ import annotations


class MemoryTransport:
    """A transport that records writes; while `stuck`, they count as unsent."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.stuck = False
        self.waiting = 0
        self.closing = False
        self.aborted = False
        self.reading = True

    def write(self, data: bytes) -> None:
        """Record a write."""
        self.writes.append(data)
        if self.stuck:
            self.waiting += len(data)

    def get_write_buffer_size(self) -> int:
        """Return the unsent bytes."""
        return self.waiting

    def get_extra_info(self, _name: str) -> None:
        """Return None: there is no socket."""

    def is_closing(self) -> bool:
        """Return whether the transport was closed."""
        return self.closing

    def pause_reading(self) -> None:
        """Record that reading is paused."""
        self.reading = False

    def resume_reading(self) -> None:
        """Record that reading continues."""
        self.reading = True

    def close(self) -> None:
        """Record the close."""
        self.closing = True

    def abort(self) -> None:
        """Record the abort."""
        self.aborted = self.closing = True
