"""Reads of a database with replicas: what they count, and the positions of users in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from storage.errors import UnavailableError
from storage.postgres.database import Database
from storage.postgres.primary_server import PrimaryServer
from storage.postgres.reads import PRIMARY, KeptPositions, ReplicaReads
from storage.postgres.replica import Replica
from storage.postgres.replicas import Replicas
from storage.postgres.wal_position import START, WalPosition
from tests.support.eventually import eventually
from workers.broker.routing import queues_of


class MemoryPositions:
    """Positions of users that never expire; `down` makes every call fail."""

    def __init__(self) -> None:
        self.positions: dict[int, WalPosition] = {}
        self.down = False

    async def keep(self, user_id: int, position: WalPosition) -> None:
        """Keep the greater position."""
        self._require_up()
        self.positions[user_id] = max(position, self.positions.get(user_id, START))

    async def of(self, user_id: int) -> WalPosition:
        """Return a user's position."""
        self._require_up()
        return self.positions.get(user_id, START)

    def _require_up(self) -> None:
        if self.down:
            raise UnavailableError("redis", "down")


class CountedReads:
    """Metrics of reads and replicas."""

    def __init__(self) -> None:
        self.servers: Counter[str] = Counter()
        self.repeated = 0
        self.in_use: dict[str, bool] = {}
        self.lags: dict[str, float] = {}

    def read_done(self, server: str) -> None:
        """Count a read."""
        self.servers[PRIMARY if server == PRIMARY else "replica"] += 1

    def read_repeated(self) -> None:
        """Count a repeated read."""
        self.repeated += 1

    def replica_measured(self, replica: str, *, lag: float, in_use: bool) -> None:
        """Keep the last measurement."""
        self.lags[replica], self.in_use[replica] = lag, in_use

    def take(self) -> dict[str, int]:
        """Return the number of reads by server since the last call."""
        taken, self.servers = dict(self.servers), Counter()
        return taken


class Replicated:
    """A database and its replicas, which are followed."""

    def __init__(self, database: Database, replicas: Replicas, kept: KeptPositions, counted: CountedReads) -> None:
        self.database = database
        self.replicas = replicas
        self.counted = counted
        self.reads = ReplicaReads(database, replicas, kept, counted)

    async def in_use(self, position: WalPosition = START) -> None:
        """Wait until a replica is used that has replayed up to `position`."""
        await eventually(lambda: self.replicas.choose(position) is not None)

    async def caught_up(self) -> None:
        """Wait until a replica is used that has everything."""
        await self.in_use(await self.replicas.position())

    async def not_in_use(self) -> None:
        """Wait until no replica is used."""
        await eventually(lambda: self.replicas.choose(START) is None)


@asynccontextmanager
async def replicated(
    url: str, replica_urls: Sequence[str], kept: KeptPositions, *, max_lag: float = 20.0
) -> AsyncIterator[Replicated]:
    """Open a database with replicas and follow these until the end of the block."""
    database = await Database.connect(url, routes=queues_of, min_size=1, max_size=8)
    primary, counted = await PrimaryServer.open(url), CountedReads()
    replicas = Replicas(
        primary, [Replica(each, pool_size=4) for each in replica_urls], max_lag=max_lag, metrics=counted
    )
    following = asyncio.create_task(replicas.run())
    try:
        yield Replicated(database, replicas, kept, counted)
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await primary.close()
        await database.close()
