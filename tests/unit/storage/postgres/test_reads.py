"""Reads of requests: on a replica, repeated on the primary, and what happens while Redis or the primary is away."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from storage.errors import InvalidValueError, NotFoundError, UnavailableError
from storage.postgres.carried_position import CARRIED, CarriedPosition
from storage.postgres.database import Queryable
from storage.postgres.reads import PrimaryReads, ReplicaReads
from storage.postgres.replicas import Replicas
from storage.postgres.wal_position import START, UNREACHABLE, WalPosition
from tests.support.databases import NoDatabase
from tests.support.replicated import CountedReads, MemoryPositions

WRITTEN = WalPosition(1, 100)
USER = 7


class Server(NoDatabase):
    """A server that queries recognize."""

    def __init__(self, name: str) -> None:
        self.name = name


class OneReplica:
    """A replica that has replayed up to a position, and the primary's position."""

    def __init__(self) -> None:
        self.server = Server("replica")
        self.replayed_up_to = START
        self.written: WalPosition | None = WRITTEN
        self.waited_for: list[WalPosition] = []

    def choose(self, position: WalPosition) -> Server | None:
        """Return the replica if it has the position."""
        return self.server if self.replayed_up_to.covers(position) else None

    async def position(self) -> WalPosition:
        """Return the primary's position."""
        if self.written is None:
            raise UnavailableError("database", "down")
        return self.written

    async def replayed(self, position: WalPosition) -> None:
        """Record the wait."""
        self.waited_for.append(position)


class Scene:
    """Reads with one replica."""

    def __init__(self) -> None:
        self.replica, self.kept, self.counted = OneReplica(), MemoryPositions(), CountedReads()
        self.reads = ReplicaReads(Server("primary"), cast(Replicas, self.replica), self.kept, self.counted)
        self.asked: list[str] = []

    async def read(self, viewer: int | None = USER, failing: Exception | None = None) -> str:
        """Return the name of the server that answers; a query on the replica raises `failing`."""

        async def query(db: Queryable) -> str:
            name = cast(Any, db).name
            self.asked.append(name)
            if failing is not None and name == "replica":
                raise failing
            return str(name)

        return await self.reads.read(viewer, query)


async def test_a_replica_answers_once_it_has_what_the_user_wrote() -> None:
    """Until then the primary does; other users and visitors read the replica meanwhile."""
    scene = Scene()
    assert await scene.read() == "replica"
    await scene.reads.keep_position(USER)
    assert await scene.read() == "primary"
    assert (await scene.read(USER + 1), await scene.read(None)) == ("replica", "replica")
    scene.replica.replayed_up_to = WRITTEN
    assert await scene.read() == "replica"
    # Another replica may not have it yet.
    assert scene.kept.positions == {USER: WRITTEN}
    assert scene.counted.take() == {"replica": 4, "primary": 1}


@pytest.mark.parametrize("error", [NotFoundError("photo"), UnavailableError("database", "killed")])
async def test_what_a_replica_does_not_answer_is_read_from_the_primary(error: Exception) -> None:
    """A row that it lacks may be new, and a replica that ended is no outage."""
    scene = Scene()
    assert await scene.read(failing=error) == "primary"
    assert scene.asked == ["replica", "primary"]
    assert (scene.counted.repeated, scene.counted.take()) == (1, {"primary": 1})


async def test_an_error_of_the_request_is_not_repeated() -> None:
    """The primary would refuse the value as well."""
    scene = Scene()
    with pytest.raises(InvalidValueError):
        await scene.read(failing=InvalidValueError("NUL"))
    assert scene.asked == ["replica"]


async def test_without_redis_the_primary_answers_signed_in_users() -> None:
    """What they wrote is unknown. A visitor wrote nothing."""
    scene = Scene()
    scene.kept.down = True
    assert (await scene.read(), await scene.read(None)) == ("primary", "replica")


async def test_a_carried_position_counts_as_well_as_the_kept_one() -> None:
    """Another region has kept nothing of the user, and without Redis what the client carries is all that is known."""
    scene = Scene()
    scene.replica.replayed_up_to = WRITTEN
    CARRIED.set(CarriedPosition(WalPosition(1, 101)))
    assert (await scene.read(), await scene.read(None)) == ("primary", "replica")
    CARRIED.set(CarriedPosition(WRITTEN))
    assert await scene.read() == "replica"
    scene.kept.down = True
    assert await scene.read() == "replica"
    scene.kept.down, scene.kept.positions[USER] = False, WalPosition(1, 101)
    assert await scene.read() == "primary"


async def test_a_write_is_carried_once_its_position_is_known() -> None:
    """The response has it, also while Redis is away; an unknown one would keep the client on the primary."""
    scene = Scene()
    scene.kept.down = True
    for written in (WRITTEN, None):
        carried = CarriedPosition()
        CARRIED.set(carried)
        scene.replica.written = written
        await scene.reads.keep_position(USER)
        assert carried.written == written


async def test_without_redis_a_write_waits_for_the_replicas() -> None:
    """No other process can know of it, so none may use a replica without it once the response is sent."""
    scene = Scene()
    scene.kept.down = True
    await scene.reads.keep_position(USER)
    assert scene.replica.waited_for == [WRITTEN]
    scene.kept.down = False
    await scene.reads.keep_position(USER)
    assert scene.replica.waited_for == [WRITTEN]


async def test_an_unknown_position_keeps_the_user_on_the_primary() -> None:
    """The primary may have ended right after the commit."""
    scene = Scene()
    scene.replica.replayed_up_to, scene.replica.written = WRITTEN, None
    await scene.reads.keep_position(USER)
    assert scene.kept.positions == {USER: UNREACHABLE}
    assert await scene.read() == "primary"


async def test_without_replicas_there_is_nothing_but_the_query() -> None:
    """Neither a read nor a write sends a statement more."""
    server = Server("primary")
    reads = PrimaryReads(server)

    async def query(db: Queryable) -> bool:
        await asyncio.sleep(0)
        return db is server

    assert await reads.read(USER, query)
    await reads.keep_position(USER)
