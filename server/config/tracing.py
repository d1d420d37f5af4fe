"""The section `[tracing]`: traces of requests and events."""

from __future__ import annotations

from pydantic import Field, field_validator

from server.config.section import Section


class TracingSection(Section):
    """Traces (OpenTelemetry) of some requests, from the request to the sockets; needs the extra `tracing`."""

    endpoint: str = Field(
        default="",
        description="URL to which spans are sent, as OTLP over HTTP: `http://collector:4318/v1/traces`. Without it "
        "there are no traces.",
    )
    sample_ratio: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Share of the requests that are traced, unless a proxy of `server.trusted_proxies` has decided it "
        "in the header `traceparent`.",
    )
    service_name: str = Field(default="picshare", min_length=1, description="Name of the service in the traces.")

    @field_validator("endpoint")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("it should begin with http:// or https://")
        return value
