"""The metrics of inboxes, as the workers record them."""

from __future__ import annotations

from typing import Protocol


class InboxMetrics(Protocol):
    """Counts activities of which users are notified."""

    def notified(self, *, kind: str) -> None:
        """Record a new activity of an entry of this kind."""
        ...


class NoInboxMetrics:
    """Records nothing."""

    def notified(self, *, kind: str) -> None:
        """Do nothing."""
