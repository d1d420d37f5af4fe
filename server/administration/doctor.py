"""The doctor: look at every backend and at the machine, say what is wrong and how to mend it."""

from __future__ import annotations

import asyncio
import os
import resource
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from server.administration.doctor_redis import examine_redis
from server.administration.findings import MAX_SKEW, Finding, skewed
from server.composition.brokers import open_broker, routes_of
from server.composition.embedded import reachable
from server.composition.schemes import is_local
from server.config.settings import Settings
from server.errors import ServerError
from storage.blobs.file import FileBlobs
from storage.errors import SchemaError, StorageError
from storage.postgres import migrate
from storage.postgres.database import Database
from workers.broker.routing import QUEUES
from workers.errors import BrokerError

MIN_FILES = 4096  # each live connection is an open file
MIN_FREE = 1_000_000_000  # bytes
MIN_POSTGRES = 150_000  # server_version_num
DEADLINE = 10.0  # seconds for one check
_REMEDIES = {
    "database": "Check database.url, and that PostgreSQL runs and lets this machine in.",
    "redis": "Check redis.url, and that Redis runs and lets this machine in.",
    "broker": "Check broker.url, and that RabbitMQ runs and this user may use the vhost.",
    "blobs": "Check blobs.url, and that this user may write the directory.",
}
_ABOUT = """
SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
       extract(epoch FROM clock_timestamp())::float8 AS seconds
"""

Check = Callable[[Settings], Awaitable[Finding]]


class Doctor:
    """Examine the backends of `settings`; embedded engines that do not run are started for the time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def examine(self) -> list[Finding]:
        """Return a finding for every check; none raises."""
        findings = [_files(), _disk(self._settings.blob_directory)]
        async with AsyncExitStack() as stack:
            try:
                settings = await stack.enter_async_context(reachable(self._settings))
            except (ServerError, StorageError) as error:
                return [*findings, Finding(name="engines", detail=str(error), remedy="Mend this first.")]
            findings.append(await _guarded("database", _database, settings))
            broker = _nothing if is_local(settings) and not findings[-1].well else _broker
            for name, check in (("redis", examine_redis), ("broker", broker), ("blobs", _blobs)):
                findings.append(await _guarded(name, check, settings))
        return findings


async def _guarded(name: str, check: Check, settings: Settings) -> Finding:
    remedy = _REMEDIES[name]
    try:
        async with asyncio.timeout(DEADLINE):
            return await check(settings)
    except SchemaError as error:
        return Finding(name="schema", detail=str(error), remedy="Run `picshare migrate` of the newest version in use.")
    except TimeoutError:
        return Finding(name=name, detail=f"no answer within {DEADLINE:.0f} s", remedy=remedy)
    except (StorageError, BrokerError, OSError, ValueError) as error:
        return Finding(name=name, detail=str(error), remedy=remedy)


async def _database(settings: Settings) -> Finding:
    db = await Database.connect(settings.database.url, routes=routes_of(settings), min_size=1, max_size=2)
    try:
        (row,) = await db.fetch(_ABOUT)
        version, skew = row["version"], abs(row["seconds"] - time.time())
        if row["number"] < MIN_POSTGRES:
            return Finding(name="database", detail=f"PostgreSQL {version}", remedy="Use PostgreSQL 15 or newer.")
        if skew > MAX_SKEW:
            return skewed("database", skew)
        await migrate.check(db)
    finally:
        await db.close()
    return Finding(
        name="database", detail=f"PostgreSQL {version}, schema up to date, clock within {skew * 1000:.0f} ms"
    )


async def _broker(settings: Settings) -> Finding:
    async with open_broker(settings) as broker:
        depths = await broker.depths()
    kind = "local (the outbox)" if is_local(settings) else "RabbitMQ"
    missing = [queue for queue in QUEUES if queue not in depths]
    if missing:
        return Finding(
            name="broker",
            detail=f"{kind} without the queues {', '.join(missing)}",
            remedy="Start a worker of each role once: it declares its queue.",
        )
    dead = sum(depth for queue, depth in depths.items() if queue.endswith(".dead"))
    waiting = sum(depths.values()) - dead
    if dead:
        return Finding(
            name="broker",
            detail=f"{kind}, {waiting} messages wait, {dead} dead letters",
            remedy="Look at them with `picshare deadletters list`, then replay or delete them.",
        )
    return Finding(name="broker", detail=f"{kind}, {waiting} messages wait, no dead letters")


async def _nothing(_settings: Settings) -> Finding:
    return Finding(name="broker", detail="not looked at: it is the database", remedy="Mend the database first.")


async def _blobs(settings: Settings) -> Finding:
    directory = settings.blob_directory
    blobs, key = FileBlobs(directory), f"original/00/doctor-{secrets.token_hex(8)}"
    await blobs.put(key, b"doctor", content_type="application/octet-stream")
    await blobs.delete(key)
    return Finding(name="blobs", detail=f"{directory.absolute()} is writable")


def _disk(directory: Path) -> Finding:
    existing = next(path for path in (directory.absolute(), *directory.absolute().parents) if path.exists())
    status = os.statvfs(existing)
    free = status.f_bavail * status.f_frsize
    detail = f"{free / 1e9:.1f} GB free at {existing}"
    return Finding(
        name="disk", detail=detail, remedy="" if free >= MIN_FREE else "Make room: uploads fail on a full disk."
    )


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A process raises its soft limit to the hard one when it starts.
    allowed = hard if hard != resource.RLIM_INFINITY else max(soft, MIN_FILES)
    return Finding(
        name="files",
        detail=f"{allowed} open files allowed",
        remedy="" if allowed >= MIN_FILES else f"Raise the limit (`ulimit -Hn`, LimitNOFILE=) to {MIN_FILES} or more.",
    )
