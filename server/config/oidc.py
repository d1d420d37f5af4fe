"""The section `[oidc]`: providers with which users can sign in (OpenID Connect)."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from server.config.section import Section, Texts
from workers.outbound.errors import UrlRefusedError
from workers.outbound.policy import TRUSTED, OutboundPolicy
from workers.outbound.urls import check_url

MAX_PROVIDERS = 20
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class OidcProvider(Section):
    """A provider, for example a Keycloak of your own."""

    name: str = Field(
        description="Short name, of lower-case letters, digits and hyphens. It is part of the redirect URI that the "
        "provider has to know, `<server.public_url>/api/v1/oidc/<name>/callback`."
    )
    label: str | None = Field(
        default=None, max_length=40, description='Name that users see, after "Sign in with"; by default `name`.'
    )
    private: bool = Field(
        default=False,
        description="Whether the provider may have addresses that are not public, and `http://`. Its discovery "
        "document then decides to which addresses of your network requests are sent.",
    )
    issuer: str = Field(description="Issuer, exactly as the provider writes it in its discovery document.")
    client_id: str = Field(min_length=1, description="Client id that the provider has given to PicShare.")
    client_secret: SecretStr | None = Field(
        default=None, description="Secret of that client; none for a public client, which PKCE alone protects."
    )
    scopes: Texts = Field(
        default=("openid", "email", "profile"), description="Scopes that are asked for; `openid` is one of them."
    )

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if _NAME.fullmatch(value) is None:
            raise ValueError("it should have up to 32 lower-case letters, digits and hyphens, as keycloak")
        return value

    @field_validator("issuer")
    @classmethod
    def _is_issuer(cls, value: str, info: ValidationInfo) -> str:
        policy = TRUSTED if info.data.get("private") else OutboundPolicy(ports=None)
        try:
            check_url(value, policy)
        except UrlRefusedError as error:
            raise ValueError(f"{str(error).removesuffix('.')} (private = true allows any address)") from error
        if "?" in value:
            raise ValueError("it should have no query")
        return value

    @field_validator("scopes")
    @classmethod
    def _asks_for_an_id_token(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value:
            raise ValueError("openid should be one of them")
        return value


class OidcSection(Section):
    """Sign-in with providers (OpenID Connect); see `docs/accounts.md`."""

    providers: tuple[OidcProvider, ...] = Field(
        default=(),
        description="Providers with which users can sign in, each as a table `[[oidc.providers]]`; in the environment "
        "as JSON.",
    )
    timeout: float = Field(
        default=10.0, ge=1, le=60, description="Seconds for one request to a provider, while a user waits."
    )

    @field_validator("providers")
    @classmethod
    def _differ(cls, value: tuple[OidcProvider, ...]) -> tuple[OidcProvider, ...]:
        if len(value) > MAX_PROVIDERS:
            raise ValueError(f"there can be at most {MAX_PROVIDERS}")
        for key in ("name", "issuer"):
            if len({getattr(provider, key) for provider in value}) < len(value):
                raise ValueError(f"each should have another {key}")
        return value
