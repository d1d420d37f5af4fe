"""The policy of requests to addresses that users supply."""

from __future__ import annotations

from server.config.settings import Settings
from workers.outbound.policy import OutboundPolicy


def outbound_policy(settings: Settings) -> OutboundPolicy:
    """Return the policy in the settings."""
    section = settings.outbound
    return OutboundPolicy(
        schemes=frozenset({"https", "http"} if section.allow_http else {"https"}),
        ports=frozenset(section.ports),
        allowed_networks=section.allowed_networks,
    )
