"""Port of the live layer's metrics; the process that exposes metrics implements it."""

from __future__ import annotations

from typing import Protocol


class LiveMetrics(Protocol):
    """Counters of connections, messages and presence changes; called on hot paths, so each call must be cheap."""

    def live_opened(self) -> None:
        """Record an opened connection."""
        ...

    def live_closed(self, code: int) -> None:
        """Record a closed connection and its close code."""
        ...

    def live_sent(self, messages: int) -> None:
        """Record messages that were written to clients."""
        ...

    def live_slow(self, unsent: int) -> None:
        """Record a client that was closed with so many unsent bytes in its write buffer."""
        ...

    def live_recovered(self, *, recovered: int, lost: int) -> None:
        """Record connections whose streams were read again: continued without a gap, or closed with 3010."""
        ...

    def live_online(self, users: int) -> None:
        """Record users that this process announced as online."""
        ...

    def live_offline(self, users: int) -> None:
        """Record users that this process announced as offline."""
        ...

    def live_processes_expired(self, processes: int) -> None:
        """Record dead processes whose registrations this process removed."""
        ...

    def event_stage(self, *, queue: str, stage: str, age: float) -> None:
        """Record the seconds from the commit of an event until it reached a stage; negative if the clocks differ."""
        ...


class NoLiveMetrics:
    """Metrics that count nothing."""

    def live_opened(self) -> None:
        """Do nothing."""

    def live_closed(self, code: int) -> None:
        """Do nothing."""

    def live_sent(self, messages: int) -> None:
        """Do nothing."""

    def live_slow(self, unsent: int) -> None:
        """Do nothing."""

    def live_recovered(self, *, recovered: int, lost: int) -> None:
        """Do nothing."""

    def live_online(self, users: int) -> None:
        """Do nothing."""

    def live_offline(self, users: int) -> None:
        """Do nothing."""

    def live_processes_expired(self, processes: int) -> None:
        """Do nothing."""

    def event_stage(self, *, queue: str, stage: str, age: float) -> None:
        """Do nothing."""
