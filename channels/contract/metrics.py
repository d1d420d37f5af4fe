"""What the live layer counts, as a small port; the process that serves metrics brings the real one."""

from __future__ import annotations

from typing import Protocol


class LiveMetrics(Protocol):
    """Count connections and what they are sent; called on hot paths, so it must be quick."""

    def live_opened(self) -> None:
        """Record a connection whose WebSocket handshake succeeded."""
        ...

    def live_closed(self, code: int) -> None:
        """Record the end of a connection and the close code that it ended with."""
        ...

    def live_sent(self, messages: int) -> None:
        """Record messages that were put on their way to clients."""
        ...

    def live_slow(self, waiting: int) -> None:
        """Record a client that was closed because so many bytes waited for it to take them."""
        ...

    def live_recovered(self, *, recovered: int, lost: int) -> None:
        """Record connections whose streams were read again after a suspected loss, and those that had to go."""
        ...

    def live_online(self, people: int) -> None:
        """Record people of whom this process announced that they are online."""
        ...

    def live_offline(self, people: int) -> None:
        """Record people of whom this process announced that they are away."""
        ...

    def live_processes_expired(self, processes: int) -> None:
        """Record dead processes that this one cleared away."""
        ...


class NoLiveMetrics:
    """Count nothing."""

    def live_opened(self) -> None:
        """Record nothing."""

    def live_closed(self, code: int) -> None:
        """Record nothing."""

    def live_sent(self, messages: int) -> None:
        """Record nothing."""

    def live_slow(self, waiting: int) -> None:
        """Record nothing."""

    def live_recovered(self, *, recovered: int, lost: int) -> None:
        """Record nothing."""

    def live_online(self, people: int) -> None:
        """Record nothing."""

    def live_offline(self, people: int) -> None:
        """Record nothing."""

    def live_processes_expired(self, processes: int) -> None:
        """Record nothing."""
