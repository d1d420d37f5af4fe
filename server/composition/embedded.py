"""Embedded engines: start what `embedded:` URLs ask for, and replace the URLs by their addresses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from server.composition.roles import is_embedded
from server.config.settings import Settings
from server.errors import StartError
from server.operation.data_dir import (
    locked,
    read_run_file,
    read_secret,
    read_vapid_key,
    require_complete,
    vapid_key_file,
    written_run_file,
)
from storage.embedded.disk_space import DiskSpace
from storage.embedded.postgres import embedded_postgres
from storage.embedded.supervisor import EngineWatch
from storage.embedded.valkey import embedded_valkey
from workers.web_push.vapid import VapidKey

_SECTIONS = ("database", "redis")  # those whose URL may be "embedded:"


@asynccontextmanager
async def running_engines(
    settings: Settings,
    facts: Mapping[str, str] | None = None,
    *,
    watch: EngineWatch | None = None,
    space: DiskSpace | None = None,
) -> AsyncIterator[Settings]:
    """Lock the data directory, run the embedded engines in it, and yield settings with their addresses.

    Meanwhile other commands read the addresses, and `facts`, from the run file in the directory. An engine that ends is
    restarted, and one that is given up is reported to `watch`. `space` is watched. Raises `StartError` and
    `EngineError`.
    """
    async with AsyncExitStack() as stack:
        directory = settings.data.dir.absolute()
        stack.enter_context(locked(directory))
        require_complete(directory)
        space = space or disk_space(settings)
        await stack.enter_async_context(space.watched())
        if settings.auth.secret is None:
            settings = settings.with_values("auth", secret=read_secret(directory))
        if settings.push.vapid_key is None and settings.push.vapid_key_file is None:
            settings = settings.with_values("push", vapid_key=_generated_vapid_key(directory))
        if is_embedded(settings.database.url):
            dsn = await stack.enter_async_context(embedded_postgres(directory, watch=watch, space=space))
            settings = settings.with_values("database", url=dsn)
        if is_embedded(settings.redis.url):
            url = await stack.enter_async_context(embedded_valkey(directory, watch=watch, space=space))
            settings = settings.with_values("redis", url=url)
        addresses = {"database": settings.database.url, "redis": settings.redis.url}
        stack.enter_context(written_run_file(directory, {**addresses, **(facts or {})}))
        yield settings


def _generated_vapid_key(directory: Path) -> str:
    text = read_vapid_key(directory, lambda: VapidKey.generate().text)
    try:
        return VapidKey.parse(text).text
    except ValueError as error:
        raise StartError(
            f"{vapid_key_file(directory)} has no key: {error}. Put the file back from a backup, or delete it: then "
            "every browser has to subscribe to push messages again."
        ) from error


def disk_space(settings: Settings) -> DiskSpace:
    """Return the space of the data directory, which is not watched yet."""
    return DiskSpace(settings.data.dir.absolute(), reserve=settings.data.reserve)


@asynccontextmanager
async def reachable_backends(settings: Settings) -> AsyncIterator[Settings]:
    """Yield settings whose backends a single command can use, whether or not the service runs.

    If it runs, its embedded engines are used. Otherwise they are started, and stopped on leaving.
    """
    if not any(is_embedded(getattr(settings, section).url) for section in _SECTIONS):
        yield settings
        return
    running = read_run_file(settings.data.dir.absolute())
    if running:
        yield _with_addresses(settings, running)
        return
    async with running_engines(settings) as resolved:
        yield resolved


def _with_addresses(settings: Settings, running: Mapping[str, str]) -> Settings:
    for section in _SECTIONS:
        if is_embedded(getattr(settings, section).url) and section in running:
            settings = settings.with_values(section, url=running[section])
    return with_stored_key(settings)


def with_stored_key(settings: Settings) -> Settings:
    """Return settings with the key of push messages in the data directory, if they have none and it is there."""
    path = vapid_key_file(settings.data.dir.absolute())
    if settings.push.vapid_key is not None or settings.push.vapid_key_file is not None or not path.is_file():
        return settings
    return settings.with_values("push", vapid_key_file=path)
