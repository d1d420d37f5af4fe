"""What push messages are sent with: the key of the installation, and the push services that are allowed."""

from __future__ import annotations

from pydantic import SecretStr

from server.composition.outbound import outbound_policy
from server.config.settings import Settings
from server.errors import ConfigError
from workers.web_push.hosts import PushHosts
from workers.web_push.settings import PushSettings
from workers.web_push.vapid import VapidKey


def push_settings(settings: Settings) -> PushSettings | None:
    """Return what messages are sent with, or None without a key; raise `ConfigError` for a file without one."""
    key = vapid_key(settings)
    if key is None:
        return None
    public_url = settings.public_url
    return PushSettings(
        key=key,
        contact=settings.push.contact or (public_url if public_url.startswith("https://") else None),
        hosts=PushHosts(settings.push.hosts),
        policy=outbound_policy(settings),
        public_url=public_url,
    )


def vapid_key(settings: Settings) -> VapidKey | None:
    """Return the key of the settings, or None if they have none; raise `ConfigError` for a file without one."""
    section = settings.push
    if section.vapid_key_file is None:
        return _parsed(section.vapid_key)
    try:
        text = section.vapid_key_file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"push.vapid_key_file {section.vapid_key_file} cannot be read: {reason}.") from error
    try:
        return VapidKey.parse(text)
    except ValueError as error:
        raise ConfigError(f"push.vapid_key_file {section.vapid_key_file} has no key: {error}.") from error


def _parsed(text: SecretStr | None) -> VapidKey | None:
    return None if text is None else VapidKey.parse(text.get_secret_value())
