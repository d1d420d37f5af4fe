"""The section `[retention]`: how long data are kept that no user deletes."""

from __future__ import annotations

from pydantic import Field

from server.config.section import Section


class RetentionSection(Section):
    """How long things are kept that no user deletes; for webhooks, images and accounts see their sections."""

    idempotency_hours: int = Field(
        default=24,
        ge=1,
        le=720,
        description="Hours for which the response to a request with an Idempotency-Key is kept.",
    )
    upload_hours: int = Field(
        default=24, ge=1, le=720, description="Hours for which a resumable upload waits for its rest and its photo."
    )
    notification_days: int = Field(
        default=365, ge=0, description="Days for which notifications are kept; 0 keeps them as long as the account."
    )
    delivery_days: int = Field(
        default=14,
        ge=8,
        le=365,
        description="Days for which it is known what became of a push, a mail about a notification, or a digest.",
    )
    export_days: int = Field(default=7, ge=1, le=30, description="Days for which the archive of an export is kept.")
    export_log_days: int = Field(
        default=30, ge=30, le=3650, description="Days for which it is known that there was an export."
    )
    feed_days: int = Field(
        default=90,
        ge=1,
        le=365,
        description="Days for which photos are kept in the home feeds in Redis; older ones are read from the database.",
    )
    import_log_days: int = Field(
        default=30, ge=1, le=3650, description="Days after its end for which the results of an import are kept."
    )
    dead_letter_days: int = Field(
        default=90,
        ge=0,
        description="Days for which dead letters are kept in the database; 0 keeps them until they are deleted "
        "by hand, as those in RabbitMQ are.",
    )
