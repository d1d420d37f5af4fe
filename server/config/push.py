"""The section `[push]`: notifications on devices while no page is open."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from server.config.section import Section, Texts
from workers.web_push.base64url import vapid_key_bytes
from workers.web_push.hosts import KNOWN_HOSTS, checked_pattern


class PushSection(Section):
    """Web Push, which browsers receive while no page is open; docs/push.md explains it."""

    vapid_key: SecretStr | None = Field(
        default=None,
        description="Private key by which push services recognise this installation, as `picshare push create-key` "
        "prints it; the same in all processes. `picshare run` makes one in the data directory. Without a key, other "
        "processes send no push messages. Keep it: with another one, every browser has to subscribe again.",
    )
    vapid_key_file: Path | None = Field(
        default=None, description="File with this key, if it should be neither here nor in the environment."
    )
    contact: str | None = Field(
        default=None,
        description="URL by which push services reach you, as `mailto:you@example.com`. If it is not set, "
        "`server.public_url` if it begins with https. Apple refuses messages without one.",
    )
    hosts: Texts = Field(
        default=KNOWN_HOSTS,
        description="Hosts of the push services to which messages may be sent: names, or patterns as `*.example.com`. "
        "`*` allows every public address, and so lets users send requests to it. `[outbound]` counts, too.",
    )

    @field_validator("vapid_key")
    @classmethod
    def _is_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            vapid_key_bytes(value.get_secret_value())
        return value

    @field_validator("vapid_key_file")
    @classmethod
    def _is_the_only_key(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("vapid_key") is not None:
            raise ValueError("push.vapid_key is set, too; set one of them")
        return value

    @field_validator("contact")
    @classmethod
    def _is_contact(cls, value: str | None) -> str | None:
        if value is not None and not (value.startswith("https://") or (value.startswith("mailto:") and "@" in value)):
            raise ValueError("it should begin with mailto: or https://")
        return value

    @field_validator("hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_pattern(text) for text in value)
