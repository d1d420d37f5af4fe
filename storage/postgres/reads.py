"""Reads of requests: on a replica that has everything the viewer wrote, otherwise on the primary.

Whether a read may use a replica is decided where it is written: it takes `Reads`, and passes a function of a
`Queryable`. What takes a `Database` or a `Transaction` runs on the primary: writes with their permission checks,
sessions, idempotency, what is stored in Redis for others, and all workers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import structlog

from storage.errors import NotFoundError, UnavailableError
from storage.postgres.carried_position import CARRIED
from storage.postgres.database import Queryable
from storage.postgres.replicas import ReplicaMetrics, Replicas
from storage.postgres.wal_position import START, UNREACHABLE, WalPosition

T = TypeVar("T")
Query = Callable[[Queryable], Awaitable[T]]

PRIMARY = "primary"

log = structlog.get_logger(__name__)


class Reads(Protocol):
    """Where a request's reads go."""

    async def read(self, viewer_id: int | None, query: Query[T]) -> T:
        """Return what `query` returns; it may be called twice, so it only reads. Errors are those of `query`.

        It sees everything that was committed before the viewer's last `keep_position`, and of later writes of others
        perhaps nothing. A `NotFoundError` is always the primary's.
        """
        ...

    async def keep_position(self, user_id: int) -> None:
        """Let later reads of a user, in every process, see everything that is committed now; never fails."""
        ...


class PrimaryReads:
    """Reads of an installation without replicas."""

    def __init__(self, db: Queryable) -> None:
        self._db = db

    async def read(self, viewer_id: int | None, query: Query[T]) -> T:
        """Run a query on the primary."""
        del viewer_id
        return await query(self._db)

    async def keep_position(self, user_id: int) -> None:
        """Do nothing, because the primary has every write."""


class KeptPositions(Protocol):
    """Positions of users that all processes share; raises `UnavailableError` if the store does not answer."""

    async def keep(self, user_id: int, position: WalPosition) -> None:
        """Keep a user's position for `POSITION_TTL` seconds, unless a greater one is kept: then that one."""
        ...

    async def of(self, user_id: int) -> WalPosition:
        """Return a user's position, `START` without one, and `UNREACHABLE` if the store may have lost it."""
        ...


class NoPositions:
    """`KeptPositions` of a process that keeps none: it does not write, and what its readers wrote they carry."""

    async def keep(self, user_id: int, position: WalPosition) -> None:
        """Do nothing."""

    async def of(self, user_id: int) -> WalPosition:
        """Return that nothing is known to have been written."""
        del user_id
        return START


class ReadMetrics(ReplicaMetrics, Protocol):
    """Metrics of reads that may use a replica."""

    def read_done(self, server: str) -> None:
        """Record one read and the server that answered it: "primary", or host and port of a replica."""
        ...

    def read_repeated(self) -> None:
        """Record one read that was repeated on the primary, after a replica failed or did not find the row."""
        ...


class ReplicaReads:
    """Reads of an installation with replicas.

    A user's position in the WAL is kept after each of the user's writes, and a replica is used once it has replayed up
    to there. The position stays until it expires: that one replica has replayed it says nothing about the others. One
    that the client carries counts as well, and alone if the kept one is not available.
    """

    def __init__(
        self, db: Queryable, replicas: Replicas, kept: KeptPositions, metrics: ReadMetrics | None = None
    ) -> None:
        self._db = db
        self._replicas = replicas
        self._kept = kept
        self._metrics = metrics

    async def read(self, viewer_id: int | None, query: Query[T]) -> T:
        """Run a query on a replica that has everything the viewer wrote, or on the primary."""
        replica = self._replicas.choose(await self._position(viewer_id))
        if replica is not None:
            try:
                result = await query(replica)
            except (NotFoundError, UnavailableError) as error:
                # What the viewer asks for by its id may be newer than the replica: its author, or a live message, has
                # given the viewer the id. The replica may also have ended, or cancelled the read in favour of replay.
                if isinstance(error, UnavailableError):
                    log.info("read_repeated", replica=replica.name, error=str(error))
                if self._metrics is not None:
                    self._metrics.read_repeated()
            else:
                if self._metrics is not None:
                    self._metrics.read_done(replica.name)
                return result
        result = await query(self._db)
        if self._metrics is not None:
            self._metrics.read_done(PRIMARY)
        return result

    async def keep_position(self, user_id: int) -> None:
        """Keep the primary's present position for a user."""
        try:
            # Read after the commit, because a position from before it does not cover the record of the commit.
            position = await self._replicas.position()
        except UnavailableError as error:
            log.warning("write_position_unknown", error=str(error))
            position = UNREACHABLE
        carried = CARRIED.get()
        if carried is not None and position != UNREACHABLE:
            carried.written = position
        try:
            await self._kept.keep(user_id, position)
        except UnavailableError as error:
            # Other processes cannot know of the write, so the response waits until every replica they use has it.
            log.warning("write_position_not_kept", error=str(error))
            await self._replicas.replayed(position)

    async def _position(self, viewer_id: int | None) -> WalPosition:
        if viewer_id is None:
            return START
        carried = CARRIED.get()
        given = None if carried is None else carried.given
        try:
            kept = await self._kept.of(viewer_id)
        except UnavailableError:
            # What the viewer wrote is unknown unless the client says so, and the primary has everything.
            return UNREACHABLE if given is None else given
        return kept if given is None else kept.joined(given)
