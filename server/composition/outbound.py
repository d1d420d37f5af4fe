"""The policy of requests to addresses that users supply, and the services and mail server of the operator."""

from __future__ import annotations

from server.config.section import from_sections
from server.config.settings import Settings
from workers.mails.opening import MailSettings
from workers.outbound.policy import OutboundPolicy
from workers.reviewing.port import ReviewSettings
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


def review_settings(settings: Settings) -> ReviewSettings | None:
    """Return the service that is asked about new photos, or None if there is none."""
    section = settings.moderation
    if section.service is None or section.service_key is None:
        return None
    return ReviewSettings(
        service=section.service,
        key=section.service_key.get_secret_value(),
        url=section.service_url,
        hide=section.service_hide,
        sensitive=section.service_sensitive,
        labels=section.service_labels,
    )


def mail_settings(settings: Settings) -> MailSettings:
    """Return where mails are sent to."""
    return from_sections(MailSettings, settings.mail, public_url=settings.public_url)
