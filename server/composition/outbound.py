"""The policy of requests to addresses that users supply, and the settings of the service that scans files."""

from __future__ import annotations

from server.config.settings import Settings
from workers.outbound.policy import OutboundPolicy
from workers.scanning.port import ScanSettings


def outbound_policy(settings: Settings) -> OutboundPolicy:
    """Return the policy in the settings."""
    section = settings.outbound
    return OutboundPolicy(
        schemes=frozenset({"https", "http"} if section.allow_http else {"https"}),
        ports=frozenset(section.ports),
        allowed_networks=section.allowed_networks,
    )


def scan_settings(settings: Settings) -> ScanSettings | None:
    """Return where originals are scanned, or None if they are not."""
    section = settings.media
    return None if section.scan is None else ScanSettings(url=section.scan, timeout=section.scan_timeout)
