"""The section `[moderation]`: what happens to new photos until a moderator or a service has decided about them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from server.config.section import Section, Texts
from storage.holds import HoldOutcome, HoldPolicy, Holds
from workers.outbound.errors import UrlRefusedError
from workers.outbound.policy import TRUSTED
from workers.outbound.urls import check_url
from workers.reviewing.port import HIDE, SENSITIVE

_DEFAULT = HoldPolicy()


class ModerationSection(Section):
    """Moderation of photos; see `docs/moderation.md`."""

    hold: Holds = Field(
        default=_DEFAULT.hold,
        description='Which new photos are held: "none", those of "new" accounts (younger than a day, or with fewer '
        'than three photos), or "all".',
    )
    hold_minutes: int = Field(
        default=_DEFAULT.hold_minutes,
        ge=1,
        le=10_080,
        description="Minutes for which a photo is held at most, from the moment at which its images exist.",
    )
    hold_outcome: HoldOutcome = Field(
        default=_DEFAULT.hold_outcome,
        description='What happens at the end of that time: "publish" or "hide".',
    )
    service: Literal["openai", "hive", "sightengine"] | None = Field(
        default=None,
        description="Service that is asked what new photos show: `openai`, `hive` or `sightengine`. It gets the URL of "
        "an image of each, so `server.public_url` must be reachable for it.",
    )
    service_url: str | None = Field(
        default=None, description="URL of that service, if it is not the one of its vendor."
    )
    service_key: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="Key of that service, of Sightengine `<api_user>:<api_secret>`.",
    )
    service_labels: Texts = Field(
        default=(),
        description="The service's labels that count, as `sexual`; without any, all that name something harmful.",
    )
    service_hide: float = Field(
        default=HIDE, gt=0, le=1.01, description="Score of a label from which on a photo is hidden; 1.01 is never."
    )
    service_sensitive: float = Field(
        default=SENSITIVE,
        gt=0,
        le=1.01,
        description="Score of a label from which on a photo is blurred; 1.01 is never.",
    )

    @field_validator("service_url")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                check_url(value, TRUSTED)
            except UrlRefusedError as error:
                raise ValueError(str(error).removesuffix(".")) from error
        return value

    @field_validator("service_key")
    @classmethod
    def _is_key_of_service(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        service = info.data.get("service")
        if service is not None and value is None:
            raise ValueError("moderation.service needs it")
        if service == "sightengine" and value is not None and ":" not in value.get_secret_value():
            raise ValueError("it should be <api_user>:<api_secret>")
        return value
