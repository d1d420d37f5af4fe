"""What push messages are sent with: the key of the installation, and the push services that are allowed."""

from __future__ import annotations

from pathlib import Path

from server.composition.outbound import outbound_policy
from server.composition.signing import secret_bytes
from server.config.settings import Settings
from server.errors import ConfigError
from workers.web_push.hosts import PushHosts
from workers.web_push.settings import PushSettings
from workers.web_push.token_cipher import TokenCipher
from workers.web_push.vapid import VapidKey


def push_settings(settings: Settings) -> PushSettings | None:
    """Return what messages are sent with, or None without a key; raise `ConfigError` for what is no key.

    It is also raised with a key and without `auth.secret`.
    """
    key = vapid_key(settings)
    if key is None:
        return None
    return PushSettings(
        key=key,
        contact=push_contact(settings),
        hosts=PushHosts(settings.push.hosts),
        policy=outbound_policy(settings),
        public_url=settings.public_url,
        token_cipher=TokenCipher(secret_bytes(settings)),
    )


def push_contact(settings: Settings) -> str | None:
    """Return the URL by which push services reach the operator, or None if there is none."""
    public_url = settings.public_url
    return settings.push.contact or (public_url if public_url.startswith("https://") else None)


def vapid_key(settings: Settings) -> VapidKey | None:
    """Return the key of the settings, or None if they have none; raise `ConfigError` for what is none."""
    section = settings.push
    if section.vapid_key_file is not None:
        return _parsed(_read(section.vapid_key_file), f"push.vapid_key_file {section.vapid_key_file}")
    return None if section.vapid_key is None else _parsed(section.vapid_key.get_secret_value(), "push.vapid_key")


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise ConfigError(f"push.vapid_key_file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"push.vapid_key_file {path} cannot be read: it is no text.") from error


def _parsed(text: str, name: str) -> VapidKey:
    try:
        return VapidKey.parse(text)
    except ValueError as error:
        raise ConfigError(f"{name} has no key: {error}. `picshare push create-key` makes one.") from error
