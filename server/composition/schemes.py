"""The URL schemes of backends that belong to one process."""

from __future__ import annotations

from server.config.settings import Settings

EMBEDDED = "embedded:"  # an engine that PicShare starts as a child process
LOCAL = "local:"  # the outbox table as broker


def is_embedded(url: str) -> bool:
    """Return whether PicShare starts the engine of this URL."""
    return url.startswith(EMBEDDED)


def is_local(settings: Settings) -> bool:
    """Return whether the workers of this process consume the outbox directly, without a relay."""
    return settings.broker.url.startswith(LOCAL)
