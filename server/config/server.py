"""The section `[server]`: addresses, proxies in front of the service, and the shutdown of a process."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from server.config.section import Networks, Origins, Section, with_scheme


class ServerSection(Section):
    """The address of the service, the proxies in front of it, and the shutdown of a process."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; `0.0.0.0` is every IPv4 interface.")
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port to listen on; 0 selects a free port.")
    public_url: str | None = Field(
        default=None,
        description="URL of the service for its users, as `https://photos.example.com`; with https, cookies are "
        "Secure, and passkeys belong to its domain. If it is not set, `http://<host>:<port>`.",
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file of the certificate and its chain: the service then uses TLS itself. It is loaded again "
        "on SIGHUP, and when the file changes. See docs/deploy.md.",
    )
    tls_key: Path | None = Field(
        default=None, validate_default=True, description="PEM file of the certificate's key, without a password."
    )
    allowed_origins: Origins = Field(
        default=(),
        description="Other web origins whose pages may open live connections and use the API with cookies, as "
        "`https://app.example.com`; `*` is every origin, without cookies.",
    )
    trusted_proxies: Networks = Field(
        default=(),
        description="Networks of proxies whose `X-Forwarded-For` header is trusted, as `10.0.0.0/8`.",
    )
    drain_delay: float = Field(
        default=0.0,
        ge=0,
        description="Seconds during shutdown from `/readyz` returning 503 until no new connection is accepted, so that "
        "load balancers notice.",
    )
    shutdown_deadline: float = Field(
        default=10.0, gt=0, description="Seconds during shutdown for requests in progress to finish."
    )

    @field_validator("public_url")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        return value if value is None else with_scheme(value, ("http://", "https://")).rstrip("/")

    @field_validator("tls_certificate")
    @classmethod
    def _is_reached_by_https(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and (info.data.get("public_url") or "https://").startswith("http://"):
            raise ValueError("it should not be set, because server.public_url begins with http://")
        return value

    @field_validator("tls_key")
    @classmethod
    def _belongs_to_a_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if (value is None) != (info.data.get("tls_certificate") is None):
            raise ValueError("server.tls_certificate and server.tls_key should be set together")
        return value
