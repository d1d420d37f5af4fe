"""What signs and verifies with keys of the installation's secret."""

from __future__ import annotations

from server.config.settings import Settings
from server.errors import ConfigError
from server.media.urls import MediaUrls
from workers.mails.tokens import MailTokens
from workers.webhooks.verdict_tokens import VerdictTokens


def secret_bytes(settings: Settings) -> bytes:
    """Return the secret from which all signing keys are derived."""
    if settings.auth.secret is None:
        raise ConfigError("auth.secret is not set.")
    return settings.auth.secret.get_secret_value().encode()


def media_urls(settings: Settings) -> MediaUrls:
    """Return the signer of private images' URLs."""
    section = settings.media
    previous = [secret.get_secret_value().encode() for secret in section.previous_secrets]
    return MediaUrls(secret_bytes(settings), previous=previous, form=section.signature, ttl=section.url_ttl)


def verdict_tokens(settings: Settings) -> VerdictTokens:
    """Return the tokens with which services give verdicts."""
    return VerdictTokens(secret_bytes(settings))


def mail_tokens(settings: Settings) -> MailTokens:
    """Return the tokens in the links of mails."""
    return MailTokens(secret_bytes(settings))
