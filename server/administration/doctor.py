"""The doctor: checks of every backend and of the machine, each with a remedy if there is a problem."""

from __future__ import annotations

import asyncio
import os
import resource
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from channels.bus.addressing import GROUPS
from server.administration.backup_check import inspect_backup
from server.administration.broker_check import inspect_broker
from server.administration.certificate_check import inspect_certificate
from server.administration.codec_versions import inspect_codecs
from server.administration.delivery_check import inspect_deliveries
from server.administration.findings import Finding
from server.administration.mail import inspect_mail
from server.administration.oidc_check import inspect_providers
from server.administration.push import inspect_push
from server.administration.replica_check import inspect_replica
from server.administration.replication_check import inspect_connections, inspect_replication
from server.administration.scan_check import inspect_scan
from server.administration.search_check import inspect_search
from server.administration.star_check import inspect_stars
from server.composition.backends import describe_broker, open_database
from server.composition.blob_stores import blob_directory, describe_blobs, open_blobs
from server.composition.embedded import reachable_backends
from server.composition.roles import is_embedded
from server.config.settings import Settings
from server.errors import ServerError
from storage.errors import SchemaError, StorageError
from storage.postgres import migrate
from storage.postgres.connector import shares_sessions, unreachable_servers
from storage.redis.address import ABSENT
from storage.redis.client import Redis, check_writable, open_redis, redis_errors
from workers.errors import BrokerError

DEADLINE = 10.0  # seconds for one check
MAX_SKEW = 2.0  # seconds; positions in feeds come from the clock of Redis, ids from ours
MIN_FILES = 4096  # each live connection is an open file
MIN_FREE = 1_000_000_000  # bytes
MIN_POSTGRES = 150_000  # server_version_num
MIN_REDIS = (6, 2)
MIN_CLUSTER = (7, 0)  # the first version with sharded pub/sub
SLOTS = 16_384
_REMEDIES = {
    "database": "Check database.url, and that PostgreSQL runs and accepts connections from this machine.",
    "replication": "Check database.url, and that this role may read pg_stat_replication.",
    "connections": "Check database.url, and that this role may read pg_stat_activity.",
    "replica": "Check database.replicas, and that the server runs and accepts connections from this machine.",
    "search": "Check database.url, and that PostgreSQL runs and accepts connections from this machine.",
    "notifications": "Check database.url, and that PostgreSQL runs and accepts connections from this machine.",
    "redis": "Check redis.url, and that Redis runs and accepts connections from this machine.",
    "stars": "Check database.url and redis.url, and that both engines answer.",
    "broker": "Check broker.url, and that RabbitMQ runs and its user may use the vhost.",
    "mail": "Check mail.url, and that the server answers this machine.",
    "push": "Check push.vapid_key_file, and that this user may read it.",
    "blobs": "Check blobs.url, and that this user may write to the directory, or that the keys may use the bucket.",
}
_POSTGRES = """
SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
       extract(epoch FROM clock_timestamp())::float8 AS seconds
"""

Check = Callable[[Settings], Awaitable[Finding]]


async def inspect(settings: Settings) -> list[Finding]:
    """Return a finding for each check; none raises. Embedded engines that do not run are started for the checks."""
    findings = [inspect_file_limit(), inspect_disk(blob_directory(settings)), inspect_codecs()]
    embedded = is_embedded(settings.database.url)
    if embedded:
        findings.append(inspect_backup(settings.data.dir.absolute()))
    certificate = inspect_certificate(settings)
    findings += [certificate] if certificate is not None else []
    async with AsyncExitStack() as stack:
        try:
            settings = await stack.enter_async_context(reachable_backends(settings))
        except (ServerError, StorageError) as error:
            return [*findings, Finding(name="engines", detail=str(error), remedy="Fix this first.")]
        database = await _guarded("database", inspect_database, settings)
        # The error of a database that is down would otherwise be reported twice, and as one of RabbitMQ.
        skipped = describe_broker(settings).in_database and not database.ok
        findings.append(database)
        if database.ok and not embedded:
            findings.append(await _guarded("replication", inspect_replication, settings))
            findings.append(await _guarded("connections", inspect_connections, settings))
        for url in settings.database.replicas if database.ok else ():
            findings.append(await _guarded("replica", partial(inspect_replica, url), settings))
        if database.ok:
            findings.append(await _guarded("search", inspect_search, settings))
            findings.append(await _guarded("notifications", inspect_deliveries, settings))
        redis = await _guarded("redis", inspect_redis, settings)
        findings.append(redis)
        if database.ok and redis.ok and settings.redis.url != ABSENT:
            findings.append(await _guarded("stars", inspect_stars, settings))
        findings.append(
            Finding(name="broker", detail="not checked: it is in the database", remedy="Fix the database first.")
            if skipped
            else await _guarded("broker", inspect_broker, settings)
        )
        findings.append(await _guarded("blobs", inspect_blobs, settings))
        if database.ok:
            findings.append(await _guarded("push", inspect_push, settings))
        if settings.media.scan is not None:
            findings.append(await inspect_scan(settings))
        findings += await inspect_providers(settings)
        findings.append(await _guarded("mail", inspect_mail, settings))
    return findings


async def _guarded(name: str, check: Check, settings: Settings) -> Finding:
    """Return the finding of a check, or one that describes its error."""
    remedy = _REMEDIES[name]
    try:
        async with asyncio.timeout(DEADLINE):
            return await check(settings)
    except SchemaError as error:
        return Finding(name="schema", detail=str(error), remedy="Run `picshare migrate` of the newest version in use.")
    except TimeoutError:
        return Finding(name=name, detail=f"no response within {DEADLINE:.0f} s", remedy=remedy)
    except (ServerError, StorageError, BrokerError, OSError, ValueError) as error:
        return Finding(name=name, detail=str(error), remedy=remedy)


def inspect_file_limit() -> Finding:
    """Check how many files this process may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A process raises its soft limit to the hard one when it starts.
    allowed = hard if hard != resource.RLIM_INFINITY else max(soft, MIN_FILES)
    return Finding(
        name="files",
        detail=f"{allowed} open files allowed",
        remedy="" if allowed >= MIN_FILES else f"Raise the limit (`ulimit -Hn`, LimitNOFILE=) to {MIN_FILES} or more.",
    )


def inspect_disk(directory: Path) -> Finding:
    """Check the free space of the file system that `directory` is or will be on."""
    existing = next(path for path in (directory.absolute(), *directory.absolute().parents) if path.exists())
    status = os.statvfs(existing)
    free = status.f_bavail * status.f_frsize
    return Finding(
        name="disk",
        detail=f"{free / 1e9:.1f} GB free at {existing}",
        remedy="" if free >= MIN_FREE else "Free some space: uploads fail if the disk is full.",
    )


async def inspect_database(settings: Settings) -> Finding:
    """Check the version, clock and schema of PostgreSQL; raise `StorageError` if it is not reachable."""
    if await shares_sessions(settings.database.session_url):
        return Finding(
            name="database",
            detail="a pooler in transaction mode",
            remedy='Set database.pooler to "transaction", and database.direct_url to the URL of the server behind it.',
        )
    async with open_database(settings, min_size=1, max_size=2) as db:
        (row,) = await db.fetch(_POSTGRES)
        version, skew = row["version"], abs(row["seconds"] - time.time())
        if row["number"] < MIN_POSTGRES:
            return Finding(name="database", detail=f"PostgreSQL {version}", remedy="Use PostgreSQL 15 or newer.")
        if skew > MAX_SKEW:
            return _skewed("database", skew)
        await migrate.check(db)
        await db.check_writable()
    away = await unreachable_servers(settings.database.session_url)
    if away:
        return Finding(
            name="database",
            detail=f"PostgreSQL {version}, and servers that are not reachable: {'; '.join(away)}",
            remedy="Start them, or take them out of database.url: without them there is no failover.",
        )
    return Finding(
        name="database", detail=f"PostgreSQL {version}, schema up to date, clock within {skew * 1000:.0f} ms"
    )


async def inspect_blobs(settings: Settings) -> Finding:
    """Check that a blob can be stored, listed, read and deleted; raise `StorageError` if not."""
    blobs, name = open_blobs(settings), secrets.token_hex(8)
    key, data = f"original/00/doctor-{name}/probe", name.encode()
    await blobs.put(key, data, content_type="application/octet-stream")
    try:
        listed = [info.key async for info in blobs.list(key.removesuffix("probe"))]
        found = b"".join([chunk async for chunk in (await blobs.open(key)).chunks()])
    finally:
        await blobs.delete([key])
    where = describe_blobs(settings)
    if listed != [key] or found != data:
        remedy = "Use a store that lists and returns an object as soon as it is stored."
        return Finding(name="blobs", detail=f"{where} does not return what was just stored", remedy=remedy)
    return Finding(name="blobs", detail=f"{where} is writable and readable")


@dataclass(frozen=True, kw_only=True, slots=True)
class _RedisServer:
    """What one Redis server reports about itself; `skew` is the difference of its clock to ours in seconds."""

    software: str
    version: str
    policy: str
    skew: float


async def inspect_redis(settings: Settings) -> Finding:
    """Check one Redis server, or a cluster and each of its masters; raise `StorageError` if it is not reachable."""
    if settings.redis.url == ABSENT:
        return Finding(name="redis", detail="none, as in a region that only reads")
    client = open_redis(settings.redis.url)
    try:
        with redis_errors():
            finding = await _inspect_redis(client)
        if finding.ok:
            await check_writable(client)
        return finding
    finally:
        await client.aclose()


async def _inspect_redis(client: Redis) -> Finding:
    clustered = _fields(await client.execute_command("INFO")).get("redis_mode") == "cluster"
    if clustered != client.sharded:
        return _wrong_scheme(clustered=clustered)
    shape = ""
    if clustered:
        about = _fields(await client.execute_command("CLUSTER", "INFO"))
        if int(about["cluster_slots_ok"]) < SLOTS:
            return _incomplete(int(about["cluster_slots_ok"]))
        shape = await _shape(client, about)
    replies = [await client.execute_everywhere("INFO"), await client.execute_everywhere("TIME")]
    away = {place for reply in replies for place in reply if isinstance(reply[place], RedisError)}
    if away:
        return _unreachable(sorted(f"{place.host}:{place.port}" for place in away))
    infos, times = replies
    return _judge([_redis_server(_fields(infos[place]), times[place]) for place in infos], shape, clustered=clustered)


def _wrong_scheme(*, clustered: bool) -> Finding:
    detail, scheme = ("a node of a cluster", "redis+cluster") if clustered else ("one server, no cluster", "redis")
    return Finding(
        name="redis", detail=detail, remedy=f"Begin redis.url with {scheme}:// (with TLS, rediss instead of redis)."
    )


def _incomplete(served: int) -> Finding:
    return Finding(
        name="redis",
        detail=f"a cluster that serves {served:,} of {SLOTS:,} slots",
        remedy="Start the missing masters, or assign their slots to others (`redis-cli --cluster fix`).",
    )


def _unreachable(away: Sequence[str]) -> Finding:
    return Finding(
        name="redis",
        detail=f"masters that are not reachable from this machine: {', '.join(away)}",
        remedy="Allow connections to them, or let them announce addresses that are reachable from here "
        "(cluster-announce-ip or -hostname).",
    )


async def _shape(client: Redis, about: Mapping[str, str]) -> str:
    """Return the number of nodes of a cluster, and how its masters share the slot groups of users."""
    masters, nodes = int(about["cluster_size"]), int(about["cluster_known_nodes"])
    await client.refresh_slots()
    groups = Counter(client.server_of(b"{%d}" % group) for group in range(GROUPS))
    spread = sorted(groups.values(), reverse=True) + [0] * (masters - len(groups))
    return (
        f", a cluster of {masters} masters and {nodes - masters} replicas, slot groups {' + '.join(map(str, spread))}"
    )


def _judge(servers: Sequence[_RedisServer], shape: str, *, clustered: bool) -> Finding:
    oldest = min(servers, key=lambda server: _number(server.version))
    skew = max(server.skew for server in servers)
    detail = f"{oldest.software} {oldest.version}{shape}"
    if _number(oldest.version) < (MIN_CLUSTER if clustered else MIN_REDIS):
        wanted = "Redis 7.0" if clustered else "Redis 6.2"
        return Finding(name="redis", detail=detail, remedy=f"Use {wanted} or Valkey 7.2 or newer.")
    if skew > MAX_SKEW:
        return _skewed("redis", skew)
    policies = ", ".join(sorted({server.policy for server in servers}))
    return Finding(name="redis", detail=f"{detail}, clock within {skew * 1000:.0f} ms, eviction {policies}")


def _redis_server(info: Mapping[str, str], moment: Sequence[Any]) -> _RedisServer:
    seconds, micros = moment
    return _RedisServer(
        software="Valkey" if "valkey_version" in info else "Redis",
        version=info.get("valkey_version") or info["redis_version"],
        policy=info.get("maxmemory_policy", "noeviction"),
        skew=abs(int(seconds) + int(micros) / 1_000_000 - time.time()),
    )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def _fields(text: bytes) -> Mapping[str, str]:
    lines = text.decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _skewed(name: str, seconds: float) -> Finding:
    return Finding(
        name=name,
        detail=f"its clock and that of this machine differ by {seconds:.1f} s",
        remedy="Run a time service (chrony, systemd-timesyncd) on both machines.",
    )
