"""The doctor's check of one replica: whether it follows the primary, and how fast it replays."""

from __future__ import annotations

import asyncio
import time

from server.administration.findings import Finding
from server.config.settings import Settings
from storage.postgres.address import server_name, server_urls
from storage.postgres.connector import shares_sessions
from storage.postgres.primary_server import PrimaryServer
from storage.postgres.replica import INTERVAL, replica_status
from storage.postgres.replication import PrimaryStatus, mismatch


async def inspect_replica(url: str, settings: Settings) -> Finding:
    """Check that a replica soon has what the primary has now; raise `StorageError` if one of them is away."""
    name, max_lag = server_name(server_urls(url)[0]), settings.database.replica_max_lag
    if await shares_sessions(url):
        return _finding(f"{name} is a pooler in transaction mode", "Name the server behind it in database.replicas.")
    primary = await PrimaryServer.open(settings.database.session_url)
    try:
        written = await primary.status()
    finally:
        await primary.close()
    status = await replica_status(url)
    fault, same = mismatch(status, written), status.cluster == written.cluster
    # Every promotion begins a timeline, so a cluster has one primary on each.
    if same and not status.standby and status.position.timeline == written.position.timeline:
        return _finding(f"{name} is the primary at present and gets no reads as a replica")
    if fault is not None:
        return _finding(f"{name} gets no reads: {fault}", "Rebuild it as a standby of the primary.")
    seconds = await _seconds_to_replay(url, written, max_lag)
    if seconds is None:
        return _finding(
            f"{name} lags {max_lag:g} s or more and gets no reads",
            "Look at pg_stat_replication on the primary, and for paused replay or long queries on the replica.",
        )
    return _finding(f"{name}, a standby that replays within {seconds * 1000:.0f} ms")


async def _seconds_to_replay(url: str, written: PrimaryStatus, max_lag: float) -> float | None:
    """Return in how many seconds a replica has replayed what was written, or None if not within `max_lag`."""
    started = time.monotonic()
    while (elapsed := time.monotonic() - started) < max_lag:
        if (await replica_status(url)).position.lsn >= written.flushed:
            return elapsed
        await asyncio.sleep(INTERVAL)
    return None


def _finding(detail: str, remedy: str = "") -> Finding:
    return Finding(name="replica", detail=detail, remedy=remedy)
