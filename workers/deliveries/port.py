"""The ports through which notifications leave the application, and deliveries are measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from storage.event import Event
from storage.notifications import Notification


class SendOutcome(StrEnum):
    """Result of an attempt: after `FAILED` there is another one; with `GONE` the user cannot be reached any more."""

    SENT = "sent"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """The result of an attempt.

    `events` are emitted in the transaction that finishes the delivery. `retry_after` is what the other side asks for.
    """

    outcome: SendOutcome
    error: str = ""
    retry_after: timedelta | None = None
    events: tuple[Event, ...] = ()


class NotificationChannel(Protocol):
    """A way out of the application. No transaction and no connection of the database is held while it is called.

    A notification may be sent twice if the process is killed; a channel that can make one of both should do so.
    """

    async def reaches(self, user_id: int) -> bool:
        """Return whether the user has a device or an address on this channel; raise `StorageError`."""
        ...

    async def send(self, user_id: int, entry: Notification) -> Sent:
        """Send a notification within 15 seconds and return the result; raise nothing but `StorageError`."""
        ...


class SummaryChannel(Protocol):
    """Sends pushes about several notifications; the same guarantees as those of `NotificationChannel`."""

    async def send_summary(self, user_id: int, summary_id: int, number: int) -> Sent:
        """Send that there are so many more notifications; a repeated `summary_id` is the same message."""
        ...


class DeliveryMetrics(Protocol):
    """Measures deliveries."""

    def delivery_ended(self, *, channel: str, result: str) -> None:
        """Record an attempt or a decision: `sent`, `dropped`, `postponed`, `retried` or `failed`."""
        ...

    def deliveries_due(self, *, oldest_seconds: float, waiting: int) -> None:
        """Record for how long the oldest delivery has been due, and how many wait."""
        ...


class NoDeliveryMetrics:
    """Records nothing."""

    def delivery_ended(self, *, channel: str, result: str) -> None:
        """Do nothing."""

    def deliveries_due(self, *, oldest_seconds: float, waiting: int) -> None:
        """Do nothing."""
