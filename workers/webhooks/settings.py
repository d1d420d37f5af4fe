"""Settings of the worker of webhooks."""

from __future__ import annotations

from dataclasses import dataclass, field

from workers.outbound.policy import OutboundPolicy


@dataclass(frozen=True, kw_only=True)
class WebhookSettings:
    """`public_url` begins the URLs in payloads; `in_flight` attempts are made at once by one process at most."""

    public_url: str = ""
    in_flight: int = 256
    policy: OutboundPolicy = field(default_factory=OutboundPolicy)
