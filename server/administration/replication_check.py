"""The doctor's checks of a PostgreSQL that PicShare did not start: what a lost server costs, and its connections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from server.administration.findings import Finding
from server.composition.backends import open_database
from server.config.settings import Settings
from storage.postgres.address import server_urls
from storage.postgres.connector import writable_servers

CROWDED = 0.8  # share of the allowed connections in use, from which the doctor warns
_REQUIRED = re.compile(r"(?:ANY|FIRST)?\s*([0-9]+)\s*\(", re.IGNORECASE)
# Without pg_read_all_stats a role sees how many standbys there are, and not whether they are synchronous.
_STATUS = """
SELECT current_setting('fsync')::boolean AS fsync,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') AS names,
    (SELECT count(*) FROM pg_stat_replication) AS standbys,
    (SELECT CASE WHEN count(*) = count(sync_state) THEN count(*) FILTER (WHERE sync_state <> 'async') END
        FROM pg_stat_replication) AS synchronous,
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0) AS allowed,
    (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL AND usesysid IS NOT NULL) AS used
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class PrimarySettings:
    """What decides whether a commit survives the loss of the primary.

    `servers` is the number of servers in the URL, `standbys` that of connected ones, and `synchronous` how many of them
    a commit may wait for, None if this role may not see it.
    """

    fsync: bool = True
    synchronous_commit: str = "on"
    names: str = ""
    standbys: int = 0
    synchronous: int | None = 0
    servers: int = 1


async def inspect_replication(settings: Settings) -> Finding:
    """Check that one server accepts writes, and what its loss costs; raise `StorageError` if none is reachable."""
    url = settings.database.session_url
    writable = await writable_servers(url)
    if len(writable) > 1:
        return two_primaries(writable)
    async with open_database(settings, min_size=1, max_size=2) as db:
        (row,) = await db.fetch(_STATUS)
    names = ("fsync", "synchronous_commit", "names", "standbys", "synchronous")
    return judge_replication(PrimarySettings(**{name: row[name] for name in names}, servers=len(server_urls(url))))


async def inspect_connections(settings: Settings) -> Finding:
    """Compare the connections that the server allows with those of a process; raise `StorageError`."""
    async with open_database(settings, min_size=1, max_size=2) as db:
        (row,) = await db.fetch(_STATUS)
    pool = settings.database.pool_max
    # One more asks the primary for its position.
    each = None if settings.database.pooler != "none" else pool + bool(settings.database.replicas)
    return judge_connections(allowed=row["allowed"], used=row["used"], each=each)


def two_primaries(writable: Sequence[str]) -> Finding:
    """Return the finding about several servers that accept writes."""
    return Finding(
        name="replication",
        detail=f"several servers accept writes: {', '.join(writable)}",
        remedy="Stop all but the one that PicShare uses (log event database_two_primaries), and make them its standbys "
        "(deploy/postgres/standby). What only they have is lost.",
    )


def judge_replication(found: PrimarySettings) -> Finding:
    """Return the finding about a primary with these settings."""
    several, required = found.servers > 1 or found.standbys > 0, _required(found.names)
    detail = f"{found.standbys or 'no'} standbys connected, synchronous_commit {found.synchronous_commit}"
    waits = found.synchronous_commit not in {"off", "local"} and bool(required)
    if waits and found.synchronous is not None and found.synchronous < required:
        return Finding(
            name="replication",
            detail=f"{detail}; {found.synchronous} of {required} standbys that each commit waits for",
            remedy="Start the standbys, or set synchronous_standby_names to those that run: until then writes wait.",
        )
    return Finding(name="replication", detail=detail, warning=_warning(found, several=several, waits=waits))


def _warning(found: PrimarySettings, *, several: bool, waits: bool) -> str:
    warnings = []
    if not found.fsync:
        warnings.append("fsync is off: a power cut may destroy the database.")
    if several and not waits:
        warnings.append(
            "Commits do not wait for a standby, so what was acknowledged last is lost with the primary: set "
            "synchronous_standby_names, and synchronous_commit to on."
        )
    elif found.synchronous_commit == "off":
        warnings.append("synchronous_commit is off, so a crash loses what was acknowledged in its last moments.")
    if waits and found.synchronous == _required(found.names):
        warnings.append("Writes wait when a standby is lost, since each commit waits for all of them: add a standby.")
    return " ".join(warnings)


def judge_connections(*, allowed: int, used: int, each: int | None) -> Finding:
    """Return the finding about a server of whose `allowed` connections so many are used; `each` is for one process."""
    detail = f"{used} of {allowed} connections in use"
    if each is not None:
        detail += f", enough for {allowed // each} processes with database.pool_max of each"
    too_few = each is not None and allowed < each
    crowded = used >= allowed * CROWDED
    advice = "Raise max_connections, reduce database.pool_max, or use a pooler (database.pooler)."
    return Finding(
        name="connections", detail=detail, remedy=advice if too_few else "", warning=advice if crowded else ""
    )


def _required(names: str) -> int:
    """Return how many standbys a commit waits for, by synchronous_standby_names."""
    if not names.strip():
        return 0
    match = _REQUIRED.match(names.strip())
    return int(match[1]) if match else 1
