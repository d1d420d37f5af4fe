"""Which replica is used, in virtual time: one that lags, fails, is silent or was promoted is not, until it is good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from storage.postgres.replicas import MAX_AGE, RETRY_PAUSE, Replicas
from storage.postgres.wal_position import START, WalPosition
from tests.support.replicated import CountedReads
from tests.support.simulated_replication import SimulatedPrimary, SimulatedReplica, SimulatedStandby
from tests.support.virtual_loop import run_virtually

MAX_LAG = 2.0
POLL = 0.11  # seconds in which each server has reported


class Scene:
    """A primary with some commits, and two replicas that have them."""

    def __init__(self, *, stale_reads: float = 0) -> None:
        self.primary = SimulatedPrimary()
        for _ in range(3):
            self.primary.commit()
        self.standbys = [SimulatedStandby(f"replica{number}", self.primary) for number in (1, 2)]
        self.followed = [SimulatedReplica(standby) for standby in self.standbys]
        self.counted = CountedReads()
        self.replicas = Replicas(
            self.primary,
            self.followed,
            max_lag=MAX_LAG,
            stale_reads=stale_reads,
            metrics=self.counted,
            clock=asyncio.get_running_loop().time,
        )
        self.replay()

    def replay(self) -> None:
        """Let both replay everything."""
        for standby in self.standbys:
            standby.replay()

    def used(self, position: WalPosition = START) -> set[str]:
        """Return the names of the replicas that are chosen."""
        chosen = (self.replicas.choose(position) for _ in range(40))
        return {replica.name for replica in chosen if replica is not None}


@asynccontextmanager
async def running(**options: float) -> AsyncIterator[Scene]:
    """Follow the servers until the end of the block."""
    scene = Scene(**options)
    following = asyncio.create_task(scene.replicas.run())
    await asyncio.sleep(POLL)
    yield scene
    following.cancel()
    await asyncio.wait([following])


def virtually(test: Callable[[Scene], Awaitable[None]], **options: float) -> Callable[[], None]:
    """Run a test with a scene in virtual time."""

    def run() -> None:
        async def inside() -> None:
            async with running(**options) as scene:
                await test(scene)

        run_virtually(inside())

    run.__doc__ = test.__doc__
    return run


def with_stale_reads(test: Callable[[Scene], Awaitable[None]]) -> Callable[[], None]:
    """Run a test with a scene in which replicas go on for ten seconds without their primary."""
    return virtually(test, stale_reads=10.0)


BOTH = {"replica1", "replica2"}


@virtually
async def test_reads_are_spread_over_the_replicas_that_have_the_position(scene: Scene) -> None:
    """All that have it are chosen, and none if none has it."""
    assert scene.used() == BOTH
    scene.primary.commit()
    position = await scene.replicas.position()
    await asyncio.sleep(POLL)
    assert (scene.used(), scene.used(position)) == (BOTH, set())
    scene.standbys[0].replay()
    await asyncio.sleep(POLL)
    assert scene.used(position) == {"replica1"}


@virtually
async def test_a_replica_that_lags_a_minute_is_left(scene: Scene) -> None:
    """It is left once it may lack commits that are older than the limit, and used again when it has replayed."""
    scene.primary.commit()
    scene.standbys[1].replay()
    await asyncio.sleep(MAX_LAG - 0.2)
    assert scene.used() == BOTH
    for _ in range(60):
        await asyncio.sleep(1.0)
        scene.primary.commit()
        scene.standbys[1].replay()
        await asyncio.sleep(POLL)
        assert scene.used() == {"replica2"}
    assert scene.counted.in_use == {"replica1": False, "replica2": True}
    scene.standbys[0].replay()
    await asyncio.sleep(POLL)
    assert scene.used() == BOTH


@virtually
async def test_a_primary_that_is_silent_leaves_no_replica(scene: Scene) -> None:
    """Without its position the lag is unknown; when it reports again, so are the replicas used."""
    scene.primary.down = True
    await asyncio.sleep(MAX_LAG + POLL)
    assert scene.used() == set()
    scene.primary.down = False
    await asyncio.sleep(RETRY_PAUSE + POLL)
    assert scene.used() == BOTH


@with_stale_reads
async def test_replicas_go_on_for_some_time_while_the_primary_is_away(scene: Scene) -> None:
    """Those that did not lag when it left go on for as long as is allowed; the others return with it."""
    for _ in range(2):
        scene.primary.commit()
        scene.standbys[0].replay()
        await asyncio.sleep(MAX_LAG / 2 + POLL)
    assert scene.used() == {"replica1"}
    scene.primary.down = True
    await asyncio.sleep(8.0)
    assert scene.used() == {"replica1"}
    await asyncio.sleep(4.0)
    assert scene.used() == set()
    scene.primary.down = False
    scene.replay()
    await asyncio.sleep(RETRY_PAUSE + POLL)
    assert scene.used() == BOTH


@virtually
async def test_a_slow_report_does_not_hide_a_lag(scene: Scene) -> None:
    """What is committed between the primary's report and its arrival counts as missing since then."""
    scene.primary.delay = 0.5
    await asyncio.sleep(2.0)
    scene.primary.commit()
    await asyncio.sleep(MAX_LAG)
    assert scene.used() == set()


@virtually
async def test_a_silent_replica_gets_no_new_reads(scene: Scene) -> None:
    """Long before its connection is given up."""
    scene.standbys[0].silent = True
    await asyncio.sleep(MAX_AGE + POLL)
    assert scene.used() == {"replica2"}
    assert scene.followed[0].status is not None
    scene.standbys[0].silent = False
    await asyncio.sleep(3 * RETRY_PAUSE)
    assert scene.used() == BOTH


@virtually
async def test_a_replica_that_ends_is_tried_again_after_a_pause(scene: Scene) -> None:
    """Once a second, and each change of its use is logged once."""
    with capture_logs() as logs:
        scene.standbys[0].down = True
        await asyncio.sleep(10.0)
        assert scene.used() == {"replica2"}
        assert scene.followed[0].connects in range(9, 13)
        scene.standbys[0].down = False
        await asyncio.sleep(RETRY_PAUSE + POLL)
        assert scene.used() == BOTH
    assert [(entry["event"], entry["replica"]) for entry in logs] == [
        ("replica_not_used", "replica1"),
        ("replica_used", "replica1"),
    ]
    assert logs[0]["reason"] == "database is unavailable: no answer"


@virtually
async def test_a_promoted_replica_and_one_on_the_old_timeline_are_left(scene: Scene) -> None:
    """After a failover a replica has to follow the new primary."""
    scene.standbys[0].standby = False
    scene.primary.timeline += 1
    scene.primary.commit()
    await asyncio.sleep(POLL)
    assert scene.used() == set()
    scene.standbys[1].replay()
    await asyncio.sleep(POLL)
    assert scene.used() == {"replica2"}


@virtually
async def test_a_replica_of_another_cluster_is_left(scene: Scene) -> None:
    """Its data have nothing to do with the primary's."""
    scene.standbys[0].cluster = "2"
    await asyncio.sleep(POLL)
    assert scene.used() == {"replica2"}


@virtually
async def test_the_wait_for_a_position_ends_when_every_replica_has_it(scene: Scene) -> None:
    """One that is not used here counts, because another process may use it; after the limit none can."""
    clock = asyncio.get_running_loop().time
    scene.primary.commit()
    position = await scene.replicas.position()
    waiting = asyncio.create_task(scene.replicas.replayed(position))
    started = clock()
    scene.standbys[0].replay()
    await asyncio.sleep(2 * POLL)
    assert not waiting.done()
    scene.standbys[1].replay()
    await waiting
    assert clock() - started < MAX_LAG / 2
    scene.standbys[0].down = True
    await asyncio.sleep(POLL)
    started = clock()
    await scene.replicas.replayed(position)
    assert clock() - started == pytest.approx(MAX_LAG, abs=POLL)


def test_nothing_is_read_from_a_replica_before_it_is_followed() -> None:
    """A process that does not run the replicas reads from the primary."""

    async def inside() -> None:
        assert Scene().used() == set()

    run_virtually(inside())
