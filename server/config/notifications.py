"""The section `[notifications]`: pushes, mails and digests."""

from __future__ import annotations

from pydantic import Field

from server.config.section import Section


class NotificationsSection(Section):
    """Notifications that leave the application; users choose which in their settings."""

    mail_delay_minutes: int = Field(
        default=30,
        ge=0,
        le=1440,
        description="Minutes after which a notification that was not read is sent by mail.",
    )
    pushes_per_hour: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="Maximum number of pushes to one user within an hour. Later ones are counted in a summary.",
    )
    push_pause_minutes: int = Field(
        default=10,
        ge=0,
        le=1440,
        description="Minutes after a push in which nothing else about the same, as the likes of one photo, is pushed.",
    )
    in_flight: int = Field(
        default=32, ge=1, le=1000, description="Users to whom one process sends notifications at once."
    )
