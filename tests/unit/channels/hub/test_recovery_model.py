"""In any order of events, a client receives everything once and in order, or learns of the gap."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from channels.connection.stream_state import STREAMS
from tests.support.live_world import Client, Process
from tests.support.memory_engine import MemoryEngine
from tests.support.virtual_loop import run_virtually, turns

USERS = (1, 2)
DEVICES = (1, 1, 2, 2)  # the user of each client
PROCESSES = 2
SETTLING = 60  # virtual seconds within which everything recovers by itself: two renewals of the registrations

_user, _client, _process = st.sampled_from(USERS), st.integers(0, len(DEVICES) - 1), st.integers(0, PROCESSES - 1)
_few = st.integers(1, 5)
_insert = st.tuples(st.just("insert"), _user, st.sampled_from(STREAMS))
STEPS = st.one_of(
    _insert,
    _insert,
    _insert,
    st.tuples(st.just("pump"), _process, _few),
    st.tuples(st.just("turns"), _few, st.just(0)),
    st.tuples(st.just("sleep"), _few, st.just(0)),
    st.tuples(st.just("connect"), _client, _process),
    st.tuples(st.just("read"), _client, _few),
    st.tuples(st.just("cut"), _client, st.just(0)),
    st.tuples(st.just("break_connection"), _process, st.just(0)),
    st.tuples(st.just("detect_loss"), _process, st.just(0)),
    st.tuples(st.just("reconnect"), _process, st.just(0)),
    st.tuples(st.just("down"), st.just(0), st.just(0)),
    st.tuples(st.just("up"), st.just(0), st.just(0)),
    st.tuples(st.just("flush"), st.just(0), st.just(0)),
    st.tuples(st.just("kill"), _process, st.just(0)),
)
EXAMPLES = int(os.environ.get("SOAK_EXAMPLES", "200"))


@dataclass
class World:
    """Two live processes, two users with two devices each, and one engine."""

    engine: MemoryEngine
    clients: list[Client]
    processes: list[Process]
    lives: list[AsyncExitStack]

    @classmethod
    async def begin(cls, seed: int) -> World:
        """Start the processes and connect all clients."""
        engine = MemoryEngine(seed)
        world = cls(engine, [Client(engine, user) for user in DEVICES], [], [])
        for number in range(PROCESSES):
            world.processes.append(Process(engine))
            world.lives.append(AsyncExitStack())
            await world.lives[number].enter_async_context(world.processes[number].running())
        for number, client in enumerate(world.clients):
            client.connect(world.processes[number % PROCESSES])
        await turns(50)
        for client in world.clients:
            client.read(1)
        return world

    async def step(self, name: str, first: int, second: int | str) -> None:
        """Perform one step."""
        match name:
            case "insert":
                self.engine.insert(first, str(second))
            case "pump":
                self.processes[first].pubsub.pump(int(second))
            case "turns":
                await turns(first)
            case "sleep":
                await asyncio.sleep(first)
            case "connect":
                self.clients[first].connect(self.processes[int(second)])
            case "read":
                self.clients[first].read(int(second))
            case "cut":
                self.clients[first].cut()
            case "down" | "up":
                self.engine.down = name == "down"
            case "flush":
                self.engine.flush()
            case "kill":
                await self._kill(first)
            case _:
                getattr(self.processes[first].pubsub, name)()

    @property
    def settled(self) -> bool:
        """Return whether every device is connected and has everything."""
        return all(
            client.connected and client.have.get(stream) == self.engine.truth.get((client.user_id, stream), 0)
            for client in self.clients
            for stream in STREAMS
        )

    async def settle(self) -> None:
        """Repair what is outside the live layer, and wait until the rest recovers by itself."""
        self.engine.down = False
        for process in self.processes:
            if not process.pubsub.consistent:
                process.pubsub.detect_loss()
        for _ in range(SETTLING):
            if self.settled:
                return
            for number, client in enumerate(self.clients):
                client.connect(self.processes[number % PROCESSES])
                client.read(1000)
            for process in self.processes:
                process.pubsub.pump(1000)
            await asyncio.sleep(1.0)

    async def end(self) -> None:
        """Stop the processes."""
        for life in self.lives:
            await life.aclose()

    async def _kill(self, number: int) -> None:
        process = self.processes[number]
        process.pubsub.break_connection()
        for client in self.clients:
            client.leave(process)
        await self.lives[number].aclose()
        self.processes[number] = Process(self.engine)
        await self.lives[number].enter_async_context(self.processes[number].running())


async def play(seed: int, steps: list[tuple[str, int, int | str]]) -> World:
    """Perform the steps one after the other, then settle."""
    world = await World.begin(seed)
    try:
        for step in steps:
            await world.step(*step)
        await world.settle()
    finally:
        await world.end()
    return world


@settings(max_examples=EXAMPLES, derandomize=EXAMPLES == 200)
@given(st.integers(0, 2**16), st.lists(STEPS, max_size=60))
def test_no_gap_is_hidden(seed: int, steps: list[tuple[str, int, int | str]]) -> None:
    """Every device ends with everything, without repeats, reordering or silent gaps on the way."""
    world = run_virtually(play(seed, steps))
    assert world.settled
