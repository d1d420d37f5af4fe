"""When a process may expire others, with the time given by the test, and how it leaves the list."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import cast

import pytest

from channels.bus.presence_store import PresenceStore, RemovedProcesses
from channels.bus.processes import Beat, Processes
from channels.contract.errors import LiveUnavailableError
from channels.contract.metrics import NoLiveMetrics
from channels.contract.settings import LiveSettings
from channels.hub.heartbeat import BeatHistory, Heartbeat
from tests.support.eventually import eventually
from tests.support.virtual_loop import run_virtually


class FakeProcesses:
    """The list of processes; a beat is recorded when the gate opens."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()

    async def beat(self, *, expire: bool) -> Beat:
        """Put this process on the list."""
        assert not expire
        self.begun.set()
        await self.gate.wait()
        self.calls.append("beat")
        return Beat(was_unknown=False, dead={})

    async def remove(self, process_ids: Collection[bytes]) -> None:
        """Take this process off the list."""
        assert process_ids == [b"process1"]
        self.calls.append("remove")


def heartbeat_of(processes: FakeProcesses) -> Heartbeat:
    """Return a heartbeat over the list."""
    return Heartbeat(
        cast(Processes, processes), cast(PresenceStore, None), lambda: None, LiveSettings(), NoLiveMetrics()
    )


async def test_a_process_that_left_does_not_come_back() -> None:
    """After a process has left the list, a later beat does not put it back."""
    processes = FakeProcesses()
    processes.gate.set()
    heartbeat = heartbeat_of(processes)
    await heartbeat.register()
    await heartbeat.unregister(b"process1")
    await heartbeat.register()
    assert processes.calls == ["beat", "remove"]


async def test_leaving_during_a_beat() -> None:
    """A beat that is under way is waited for: it would otherwise be recorded after the removal."""
    processes = FakeProcesses()
    heartbeat = heartbeat_of(processes)
    beating = asyncio.create_task(heartbeat.register())
    await processes.begun.wait()
    leaving = asyncio.create_task(heartbeat.unregister(b"process1"))
    for _ in range(10):
        await asyncio.sleep(0)
    processes.gate.set()
    await asyncio.gather(beating, leaving)
    assert processes.calls == ["beat", "remove"]


class ScriptedEngine:
    """The list of processes and the presences: answers that a test sets, and the calls in order."""

    def __init__(self, *beats: Beat | None) -> None:
        self.beats = list(beats)
        self.calls: list[tuple[str, object]] = []
        self.removed: list[RemovedProcesses | None] = []
        self.expire: list[bool] = []
        self.departed = 0

    async def beat(self, *, expire: bool) -> Beat:
        """Return the next beat; None stands for an outage."""
        self.expire.append(expire)
        beat = self.beats.pop(0) if self.beats else Beat(was_unknown=False, dead={})
        if beat is None:
            raise LiveUnavailableError("down")
        return beat

    async def remove(self, process_ids: Collection[bytes]) -> None:
        """Record the removal from the list."""
        self.calls.append(("off the list", [*process_ids]))

    async def unknown(self, process_ids: Collection[bytes]) -> list[bytes]:
        """Return that all processes but the own one are unknown."""
        return sorted({*process_ids} - {b"process1"})

    async def remove_processes(self, dead: Mapping[bytes, int]) -> RemovedProcesses:
        """Record the removal of registrations; None stands for an outage."""
        self.calls.append(("registrations", dict(dead)))
        removed = self.removed.pop(0) if self.removed else RemovedProcesses()
        if removed is None:
            raise LiveUnavailableError("down")
        return removed

    async def expire_departed(self, *, grace: float) -> int:
        """Count the calls."""
        assert grace == LiveSettings().presence_grace
        self.departed += 1
        return 0


class Running:
    """A running heartbeat, with short intervals by default."""

    def __init__(self, engine: ScriptedEngine, *, interval: float = 0.001, deadline: float = 60.0) -> None:
        self.expired = 0
        settings = LiveSettings(presence_interval=interval, process_deadline=deadline)
        self.heartbeat = Heartbeat(
            cast(Processes, engine), cast(PresenceStore, engine), self._on_expired, settings, NoLiveMetrics()
        )

    def _on_expired(self) -> None:
        self.expired += 1

    async def __aenter__(self) -> Running:
        """Start it."""
        self._task = asyncio.create_task(self.heartbeat.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


async def test_the_first_beat_is_repeated_until_redis_answers() -> None:
    """A process is on the list before users are registered at it, and expires no others by that beat."""
    engine = ScriptedEngine(None, None)
    await Running(engine).heartbeat.register()
    assert engine.expire == [False] * 3


def test_the_first_beat_is_repeated_at_the_interval() -> None:
    """While Redis is away, a process that starts waits between its attempts."""

    async def first_beat() -> float:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await Running(ScriptedEngine(None, None), interval=10).heartbeat.register()
        return loop.time() - begin

    assert 16 <= run_virtually(first_beat()) <= 24


async def test_a_process_that_was_expired_renews_its_registrations() -> None:
    """Registrations are renewed once for each time that the process was off the list; outages are no reason."""
    known, unknown = Beat(was_unknown=False, dead={}), Beat(was_unknown=True, dead={})
    engine = ScriptedEngine(known, None, unknown, known, unknown)
    async with Running(engine) as running:
        await eventually(lambda: len(engine.expire) > 6)
        assert running.expired == 2
    assert engine.departed >= 4  # after each beat, but not without one


async def test_dead_processes_leave_the_list_after_their_registrations() -> None:
    """If this process dies in between, another one finds them dead again; processes that are lost follow."""
    engine = ScriptedEngine(Beat(was_unknown=False, dead={b"dead": 5}))
    engine.removed = [RemovedProcesses(left=1, others={b"lost", b"process1"})]
    async with Running(engine):
        await eventually(lambda: len(engine.calls) == 4)
    assert engine.calls == [
        ("registrations", {b"dead": 5}),
        ("off the list", [b"dead"]),
        ("registrations", {b"lost": 0}),
        ("off the list", [b"lost"]),
    ]


async def test_a_removal_that_failed_is_left_to_the_next_finding() -> None:
    """A process whose registrations could not be removed stays on the list, and is removed when it is found again."""
    dead = Beat(was_unknown=False, dead={b"dead": 5})
    engine = ScriptedEngine(dead)
    engine.removed = [None]
    async with Running(engine):
        await eventually(lambda: engine.calls == [("registrations", {b"dead": 5})])
        engine.beats.append(dead)
        await eventually(lambda: len(engine.calls) == 3)
    assert engine.calls[1:] == [("registrations", {b"dead": 5}), ("off the list", [b"dead"])]


async def test_other_processes_are_expired_after_a_deadline_of_beats() -> None:
    """A process that has beaten for the deadline may expire others; one that has just come back may not."""
    engine = ScriptedEngine()
    async with Running(engine, deadline=0.05):
        await eventually(lambda: engine.expire[-1:] == [True])
    assert engine.expire[0] is False


@pytest.mark.parametrize(
    ("beats", "now", "may"),
    [
        ([], 0, False),  # no beat yet
        ([0, 5, 10, 15], 19, False),  # not long enough
        ([0, 5, 10, 15], 20, True),
        ([0, 10, 20], 20, True),  # late, but never by more than half the deadline
        ([0, 5, 10, 21], 25, False),  # a pause of 11 s: an outage, perhaps of all processes
        ([0, 5, 10, 21, 26, 31, 36], 40, False),  # 19 s after the pause
        ([0, 5, 10, 21, 26, 31, 36], 41, True),
        ([0, 5, 10, 15, 20], 30, True),
        ([0, 5, 10, 15, 20], 31, False),  # the pause is now
    ],
)
def test_may_expire(beats: Sequence[float], now: float, may: bool) -> None:
    """A process may expire others once it has beaten for the deadline of 20 s without a pause of half of it."""
    history = BeatHistory(deadline=20)
    for moment in beats:
        history.record(moment)
    assert history.may_expire(now) is may
