"""When a process may expire others, with the time given by the test, and how it leaves the list."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import cast

import pytest

from channels.bus.presence_store import PresenceStore
from channels.bus.processes import Beat, Processes
from channels.contract.metrics import NoLiveMetrics
from channels.contract.settings import LiveSettings
from channels.hub.heartbeat import BeatHistory, Heartbeat


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
        ([0, 5, 10, 15, 20], 31, False),  # the pause is now
    ],
)
def test_may_expire(beats: Sequence[float], now: float, may: bool) -> None:
    """A process may expire others once it has beaten for the deadline of 20 s without a pause of half of it."""
    history = BeatHistory(deadline=20)
    for moment in beats:
        history.record(moment)
    assert history.may_expire(now) is may
