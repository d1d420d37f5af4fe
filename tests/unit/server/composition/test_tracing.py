"""Opening traces."""

from __future__ import annotations

import sys

import pytest

from server.composition.tracing import open_tracing
from server.config.settings import Settings
from server.errors import ConfigError


async def test_without_an_endpoint_there_are_no_traces() -> None:
    """Nothing of the SDK is needed."""
    async with open_tracing(Settings()) as tracing:
        assert tracing is None


async def test_an_endpoint_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to install it."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    settings = Settings().with_values("tracing", endpoint="http://127.0.0.1:9/v1/traces")
    with pytest.raises(ConfigError, match=r"picshare\[tracing\]"):
        async with open_tracing(settings):
            pass


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector:4317"])
def test_an_endpoint_is_a_url(endpoint: str) -> None:
    """OTLP over gRPC is not offered."""
    with pytest.raises(ValueError, match="http"):
        Settings().with_values("tracing", endpoint=endpoint)
