"""Settings of deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from storage.deliveries import Limits


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliverySettings:
    """Settings of the worker "deliver": the users whose deliveries it sends at once, and limits for each user."""

    in_flight: int = 32
    mail_delay_minutes: int = 30
    pushes_per_hour: int = 20
    push_pause_minutes: int = 10

    @property
    def mail_delay(self) -> timedelta:
        """Return after which time a mail goes out about what was not read."""
        return timedelta(minutes=self.mail_delay_minutes)

    @property
    def limits(self) -> Limits:
        """Return the limits of pushes."""
        return Limits(pushes_per_hour=self.pushes_per_hour, group_pause=timedelta(minutes=self.push_pause_minutes))
