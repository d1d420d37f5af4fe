"""Settings of a system of several processes."""

from __future__ import annotations

from server.config.settings import Settings


def shared() -> Settings:
    """Return settings whose backends several processes can share; nothing has to listen there."""
    settings = Settings().with_values("database", url="postgresql://db/picshare")
    settings = settings.with_values("redis", url="redis://r").with_values("broker", url="amqp://mq")
    return settings.with_values("auth", secret="s" * 40)
