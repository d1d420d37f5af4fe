"""The section `[edge]`: the caches of images in front of PicShare."""

from __future__ import annotations

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from server.config.section import Rate, Section, Texts
from workers.outbound.errors import UrlRefusedError
from workers.outbound.policy import TRUSTED
from workers.outbound.urls import check_url
from workers.webhooks.symmetric import secret_key

_SCHEMES = ("http://", "https://")


class EdgeSection(Section):
    """Caches of images in front of PicShare, from which images disappear that are not public any more."""

    caches: Texts = Field(
        default=(),
        description="URLs of all caches in nginx, at which the workers `purge` reach them, as `http://10.0.0.5:8079`; "
        "see docs/proxy.md. Without any, no cache is purged.",
    )
    warm_followers: int = Field(
        default=1000,
        ge=0,
        description="Number of followers from which on the caches fetch an author's new photos before users ask for "
        "them.",
    )
    warm_rate: Rate = Field(
        default="600/m", description="Images that each cache is made to fetch so; those of more photos are left out."
    )
    hook_url: str | None = Field(
        default=None,
        description="URL of a program that purges a CDN. Each purge is a POST with `surrogate_keys` and `urls`, and "
        "images have the header `Surrogate-Key`; see docs/proxy.md.",
    )
    hook_secret: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="Secret with which requests to `edge.hook_url` are signed: `whsec_` and 24 to 64 random bytes in "
        "base64, as in Standard Webhooks.",
    )

    @field_validator("caches")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            if not url.startswith(_SCHEMES) or url.count("/") > 2 or "@" in url:
                raise ValueError("it should have URLs without user and path, as http://10.0.0.5:8079")
        return value

    @field_validator("hook_url")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                check_url(value, TRUSTED)
            except UrlRefusedError as error:
                raise ValueError(str(error).removesuffix(".")) from error
        return value

    @field_validator("hook_secret")
    @classmethod
    def _is_secret_of_hook(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None:
            secret_key(value.get_secret_value())
        elif info.data.get("hook_url"):
            raise ValueError("edge.hook_url needs it")
        return value
