"""Random writes, reads, lags, failovers and outages in two processes: no user ever misses an own write."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from storage.errors import UnavailableError
from storage.postgres.database import Queryable
from storage.postgres.reads import ReplicaReads
from storage.postgres.replicas import Replicas
from tests.support.simulated_replication import (
    Commit,
    SimulatedPositions,
    SimulatedPrimary,
    SimulatedReplica,
    SimulatedStandby,
)
from tests.support.virtual_loop import run_virtually

MAX_LAG = 2.0
REPLICAS, PROCESSES, USERS = range(2), range(2), range(3)

_write = st.tuples(st.just("write"), st.sampled_from(USERS), st.sampled_from(PROCESSES))
_replay = st.tuples(st.just("replay"), st.sampled_from(REPLICAS), st.integers(1, 3))
_wait = st.tuples(st.just("wait"), st.sampled_from([0.01, 0.06, 0.06, 0.06, 0.3, 1.3, 3.0, 31.0]))
_redis = st.tuples(st.just("redis"), st.booleans())
_step = st.one_of(
    *(_write, _write, _replay, _replay, _wait, _wait, _redis),
    st.tuples(st.just("write_without_redis"), st.sampled_from(USERS), st.sampled_from(PROCESSES)),
    st.tuples(st.just("replay_all")),
    st.tuples(st.just("restart"), st.sampled_from(REPLICAS), st.integers(0, 3)),
    st.tuples(st.just("freeze"), st.sampled_from(REPLICAS), st.booleans()),
    st.tuples(st.just("fail_over"), st.sampled_from(REPLICAS)),
    st.tuples(st.just("lose_redis")),
    st.tuples(st.just("reach_primary"), st.booleans()),
)


async def _commits(db: Queryable) -> Sequence[Any]:
    return await db.fetch("")


class World:
    """Two processes, their shared servers, and what each user knows to be written."""

    def __init__(self) -> None:
        self.primary = SimulatedPrimary()
        self.standbys = [SimulatedStandby(f"standby{index}", self.primary) for index in REPLICAS]
        self.kept = SimulatedPositions()
        clock = asyncio.get_running_loop().time
        self.processes = [
            Replicas(self.primary, [SimulatedReplica(each) for each in self.standbys], max_lag=MAX_LAG, clock=clock)
            for _ in PROCESSES
        ]
        self.reads = [ReplicaReads(self.primary, each, self.kept) for each in self.processes]
        self.written: dict[int, Commit] = {}

    async def write(self, user: int, process: int) -> None:
        """Commit, keep the position as the guard does, and respond."""
        if self.primary.down:
            return
        commit = self.primary.commit()
        await self.reads[process].keep_position(user)
        self.written[user] = commit

    async def write_without_redis(self, user: int, process: int) -> None:
        """Write in a moment in which Redis is away."""
        self.kept.down = True
        await self.write(user, process)
        self.kept.down = False

    async def read(self, user: int, process: int) -> None:
        """Read, and compare with what the user has written last."""
        try:
            found = await self.reads[process].read(user, _commits)
        except UnavailableError:
            assert self.primary.down, "a read fails only with the primary"
            return
        assert user not in self.written or self.written[user] in found

    async def replay(self, replica: int, count: int) -> None:
        """Let a replica replay some commits."""
        self.standbys[replica].replay(count)

    async def replay_all(self) -> None:
        """Let the replicas catch up, and both processes notice."""
        for standby in self.standbys:
            standby.replay()
        await asyncio.sleep(0.1)

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def restart(self, replica: int, without: int) -> None:
        """Restart a replica, perhaps from an earlier state."""
        self.standbys[replica].restart(without=without)

    async def freeze(self, replica: int, silent: bool) -> None:
        """Make a replica silent, or let it answer again."""
        self.standbys[replica].silent = silent

    async def fail_over(self, replica: int) -> None:
        """Promote a replica: what it had not replayed is lost, and the other replica may have more of it."""
        kept = self.standbys[replica].commits
        self.primary.commits[:] = kept
        self.primary.timeline += 1
        self.written = {user: commit for user, commit in self.written.items() if commit in kept}

    async def redis(self, down: bool) -> None:
        """Stop or start Redis."""
        self.kept.down = down

    async def lose_redis(self) -> None:
        """Empty Redis."""
        self.kept.lose()

    async def reach_primary(self, down: bool) -> None:
        """Stop or start the primary."""
        self.primary.down = down


async def _play(steps: Sequence[tuple[Any, ...]]) -> None:
    world = World()
    following = [asyncio.create_task(process.run()) for process in world.processes]
    await asyncio.sleep(0.1)
    for name, *arguments in steps:
        await getattr(world, name)(*arguments)
        for user, process in itertools.product(USERS, PROCESSES):
            await world.read(user, process)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)


@example([("write", 0, 0), ("replay_all",)] * 2 + [("write", 0, 0), ("write_without_redis", 1, 0)])
@settings(max_examples=50)
@given(st.lists(_step, min_size=10, max_size=40))
def test_no_user_misses_an_own_write(steps: list[tuple[Any, ...]]) -> None:
    """Each read returns what its user has written last, in whichever process, as long as it was not lost itself."""
    run_virtually(_play(steps))


def test_replicas_are_read_in_the_model() -> None:
    """A replica that has a user's write answers the user, or the test above would prove nothing."""

    async def play() -> None:
        world = World()
        following = asyncio.create_task(world.processes[0].run())
        await world.write(0, 0)
        await world.replay_all()
        assert world.processes[0].choose(await world.kept.of(0)) is not None
        following.cancel()

    run_virtually(play())
