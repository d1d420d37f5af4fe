"""Turn `embedded:` into running engines: settings in, settings with real addresses out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from server.composition.schemes import EMBEDDED
from server.config.settings import Settings
from server.operation.data_dir import locked, noted, read_note, secret_of
from storage.embedded.postgres import embedded_postgres
from storage.embedded.valkey import embedded_valkey


def uses_embedded(settings: Settings) -> bool:
    """Tell whether an engine of ours is asked for."""
    return settings.database.url.startswith(EMBEDDED) or settings.redis.url.startswith(EMBEDDED)


@asynccontextmanager
async def engines(settings: Settings, notes: Mapping[str, str] | None = None) -> AsyncIterator[Settings]:
    """Hold the data directory, run the embedded engines in it, and yield settings with their addresses.

    Other commands find the addresses, and `notes`, in the directory meanwhile. Raises `StartError` and
    `EngineError`.
    """
    async with AsyncExitStack() as stack:
        directory = settings.data.dir.absolute()
        stack.enter_context(locked(directory))
        resolved = _with_secret(settings, directory)
        if settings.database.url.startswith(EMBEDDED):
            dsn = await stack.enter_async_context(embedded_postgres(directory))
            resolved = resolved.with_values("database", url=dsn)
        if settings.redis.url.startswith(EMBEDDED):
            url = await stack.enter_async_context(embedded_valkey(directory))
            resolved = resolved.with_values("redis", url=url)
        addresses = {"database": resolved.database.url, "redis": resolved.redis.url}
        stack.enter_context(noted(directory, {**addresses, **(notes or {})}))
        yield resolved


@asynccontextmanager
async def reachable(settings: Settings) -> AsyncIterator[Settings]:
    """Yield settings whose backends can be reached from a command beside the service.

    Embedded engines that run already are used; otherwise they are started for as long as this lasts.
    """
    if not uses_embedded(settings):
        yield settings
        return
    directory = settings.data.dir.absolute()
    note = read_note(directory)
    if note:
        yield _with_noted(settings, note)
        return
    async with engines(settings) as resolved:
        yield resolved


def _with_noted(settings: Settings, note: Mapping[str, str]) -> Settings:
    for section in ("database", "redis"):
        if getattr(settings, section).url.startswith(EMBEDDED) and section in note:
            settings = settings.with_values(section, url=note[section])
    return settings


def _with_secret(settings: Settings, directory: Path) -> Settings:
    return settings if settings.auth.secret is not None else settings.with_values("auth", secret=secret_of(directory))
