"""The section `[acme]`: certificates that the service orders by itself."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field, field_validator

from server.config.section import Section, Texts

_DOMAIN = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class AcmeSection(Section):
    """Certificates of a public authority, which PicShare orders and renews by itself (RFC 8555)."""

    domains: Texts = Field(
        default=(),
        description="Names of the service, as `photos.example.com`: it then uses TLS with a certificate for them, and "
        "accepts the terms of the authority. Needs `pip install 'picshare[acme]'`; see docs/deploy.md.",
    )
    directory: str = Field(
        default="https://acme-v02.api.letsencrypt.org/directory", description="URL of the authority's directory."
    )
    email: str | None = Field(default=None, description="Address for the authority's notices.")
    storage: Path | None = Field(
        default=None,
        description="Directory of the account key, the certificate and its key; the processes of `--workers` share "
        "it. If it is not set, `<data.dir>/acme`.",
    )
    http_port: int = Field(
        default=80,
        ge=1,
        le=65535,
        description="Port for plain HTTP, which the authority must reach as port 80 of each domain. Other requests are "
        "redirected to `server.public_url`.",
    )

    @field_validator("domains")
    @classmethod
    def _are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _DOMAIN.fullmatch(name):
                raise ValueError(f"{name} is not a name of a host in lower case; wildcards are not supported")
        return value

    @field_validator("directory")
    @classmethod
    def _is_secure(cls, value: str) -> str:
        if not value.startswith("https://"):
            raise ValueError("it should begin with https://")
        return value
