"""Open the traces of a process, if they are configured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from channels.contract.tracing import Tracing
from server.config.settings import Settings
from server.errors import ConfigError

_EXPORT_DEADLINE = 5.0  # seconds for a batch of spans


@asynccontextmanager
async def open_tracing(settings: Settings) -> AsyncIterator[Tracing | None]:
    """Yield the traces, or None without `tracing.endpoint`; raise `ConfigError` if the extra is not installed."""
    section = settings.tracing
    if not section.endpoint:
        yield None
        return
    try:
        # The SDK takes memory and time of the start, and most installations have no traces.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        from server.operation.tracing import SdkTracing  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError('tracing.endpoint needs the extra `tracing`: pip install "picshare[tracing]".') from error
    exporter = OTLPSpanExporter(endpoint=section.endpoint, timeout=_EXPORT_DEADLINE)
    tracing = SdkTracing(
        exporter, ratio=section.sample_ratio, service=section.service_name, version=version("picshare")
    )
    try:
        yield tracing
    finally:
        await asyncio.to_thread(tracing.close)
