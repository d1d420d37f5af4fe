"""Look-up of names: bounded in time and in threads."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence

import pytest

from workers.outbound.errors import OutboundError
from workers.outbound.resolving import THREADS, SystemResolver


class SlowSystem:
    """A system whose name servers answer once the test lets them."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.asked: list[str] = []
        self.error: Exception | None = None

    def lookup(self, host: str) -> Sequence[str]:
        """Wait, then answer."""
        self.asked.append(host)
        self.gate.wait()
        if self.error is not None:
            raise self.error
        return ["8.8.8.8"]


@pytest.fixture
def system() -> Iterator[SlowSystem]:
    """A system that answers when its gate is set, at the end of the test at the latest."""
    system = SlowSystem()
    yield system
    system.gate.set()


async def test_the_system_knows_localhost() -> None:
    """The system's own function is asked."""
    assert set(await SystemResolver().lookup("localhost")) & {"127.0.0.1", "::1"}


@pytest.mark.parametrize("error", [socket.gaierror(socket.EAI_NONAME, "no"), OSError("no"), UnicodeError("label")])
async def test_a_name_without_an_address(system: SlowSystem, error: Exception) -> None:
    """Each error of the system is one of the look-up."""
    system.error = error
    system.gate.set()
    with pytest.raises(OutboundError) as caught:
        await SystemResolver(system.lookup).lookup("nothing.example")
    assert (caught.value.reason, caught.value.detail) == ("dns", "the name nothing.example has no address")


async def test_requests_for_one_name_share_a_thread(system: SlowSystem) -> None:
    """One question is asked for all that wait; the next one asks again."""
    resolver = SystemResolver(system.lookup)
    waiting = [asyncio.create_task(resolver.lookup("a.example")) for _ in range(3)]
    await asyncio.sleep(0)
    system.gate.set()
    assert await asyncio.gather(*waiting) == [["8.8.8.8"]] * 3
    assert system.asked == ["a.example"]
    await resolver.lookup("a.example")
    assert system.asked == ["a.example"] * 2


async def test_a_name_server_that_does_not_answer(system: SlowSystem) -> None:
    """Requests end after their time; further ones for the name use the thread that still waits."""
    resolver = SystemResolver(system.lookup, timeout=0.01)
    for _ in range(3):
        with pytest.raises(OutboundError, match="dns: no name server has answered"):
            await resolver.lookup("slow.example")
    assert system.asked == ["slow.example"]


async def test_a_failure_after_all_have_left_is_silent(system: SlowSystem) -> None:
    """An error that arrives when nothing waits for it any more is dropped; the next request asks again."""
    resolver = SystemResolver(system.lookup, timeout=0.01)
    with pytest.raises(OutboundError):
        await resolver.lookup("slow.example")
    system.error = OSError("late")
    system.gate.set()
    with pytest.raises(OutboundError, match="no address"):
        await SystemResolver(system.lookup).lookup("slow.example")


async def test_a_cancelled_request_leaves_the_others(system: SlowSystem) -> None:
    """Another request for the same name gets its addresses."""
    resolver = SystemResolver(system.lookup)
    one, other = (asyncio.create_task(resolver.lookup("a.example")) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    await asyncio.gather(one, return_exceptions=True)
    system.gate.set()
    assert await other == ["8.8.8.8"]


async def test_threads_are_few(system: SlowSystem) -> None:
    """Of many names that nobody answers for, only so many are asked for at the same time."""
    resolver = SystemResolver(system.lookup, timeout=0.05)
    names = [f"{number}.example" for number in range(2 * THREADS)]
    outcomes = await asyncio.gather(*map(resolver.lookup, names), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {OutboundError}
    assert len(system.asked) == THREADS
