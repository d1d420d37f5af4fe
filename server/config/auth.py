"""The section `[auth]`: tokens and sessions."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from server.config.section import Section

SECRET_LENGTH = 32  # characters; an HS256 key must be at least as long as the hash (RFC 7518, section 3.2)


class AuthSection(Section):
    """Tokens and passwords."""

    secret: SecretStr | None = Field(
        default=None,
        description="Key that signs tokens and URLs of private images: at least 32 characters, the same in every "
        "process. `picshare run` generates one in `<data.dir>/secret`; separate roles require it here.",
    )
    access_ttl: int = Field(default=900, ge=10, description="Lifetime of an access token in seconds.")
    refresh_ttl: int = Field(default=2_592_000, ge=60, description="Lifetime of a refresh token in seconds (30 days).")
    hash_memory: int = Field(
        default=64,
        ge=19,
        le=4096,
        description="Memory for the hash of a password in MiB. If this or `hash_passes` changes, the hash of an "
        "account is renewed at its next sign-in.",
    )
    hash_passes: int = Field(default=3, ge=2, le=100, description="Passes over that memory (argon2id, RFC 9106).")
    hash_concurrency: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Passwords hashed at once by one process, with `hash_memory` each.",
    )

    @field_validator("secret")
    @classmethod
    def _is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SECRET_LENGTH:
            raise ValueError(f"it should have at least {SECRET_LENGTH} characters")
        return value
