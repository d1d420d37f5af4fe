"""The section `[webhooks]`: messages to the endpoints of subscribers. Where they may go is in `[outbound]`."""

from __future__ import annotations

from pydantic import Field

from server.config.section import Section


class WebhooksSection(Section):
    """Webhooks; the section `[outbound]` says to which addresses they may be sent."""

    in_flight: int = Field(
        default=256, ge=8, description="Messages on their way at once from one process; 8 of them to one endpoint."
    )
    payload_days: int = Field(
        default=7, ge=1, le=30, description="Days for which a message that was delivered can be sent again."
    )
    log_days: int = Field(
        default=30, ge=8, le=365, description="Days for which attempts, and messages that have failed, are kept."
    )
