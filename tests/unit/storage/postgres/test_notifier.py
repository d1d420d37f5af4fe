"""Notifications of the outbox's consumers: one at a time, and never an error of the writer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from storage.errors import UnavailableError
from storage.postgres.notifier import Notifier, notify_over


class Sender:
    """Sends nothing: records what would be sent, waits for `gate`, and raises the next of `errors`."""

    def __init__(self, *errors: Exception | None) -> None:
        self.sent: list[Sequence[str]] = []
        self.errors = list(errors)
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, queues: Sequence[str]) -> None:
        """Record a notification."""
        self.sent.append(queues)
        await self.gate.wait()
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error


async def test_queues_that_become_due_meanwhile_are_notified_together() -> None:
    """One notification is in progress at a time; the end waits for all that are due."""
    sender = Sender()
    notifier = Notifier(sender)
    await notifier.close()
    sender.gate.clear()
    for queues in ([], ["b", "a"]):
        notifier.notify(queues)
    await asyncio.sleep(0)
    for queues in (["c"], ["d"], ["c"]):
        notifier.notify(queues)
        await asyncio.sleep(0)
    sender.gate.set()
    await notifier.close()
    notifier.notify(["a"])
    await notifier.close()
    assert sender.sent == [["a", "b"], ["c", "d"], ["a"]]


async def test_consumers_of_the_same_process_are_called_directly() -> None:
    """A queue with consumers here is not notified as long as there are any; other queues are."""
    sender, woken = Sender(), list[str]()
    notifier = Notifier(sender)
    with notifier.consumer("a", lambda: woken.append("first")):
        with notifier.consumer("a", lambda: woken.append("second")):
            notifier.notify(["a", "b"])
            assert woken == ["first", "second"]
            await notifier.close()
            assert sender.sent == [["b"]]
        notifier.notify(["a"])
        assert woken == ["first", "second", "first"]
    notifier.notify(["a"])
    await notifier.close()
    assert (woken, sender.sent) == (["first", "second", "first"], [["b"], ["a"]])


async def test_a_failure_is_logged_once_in_an_outage() -> None:
    """The rows are committed, and polling finds them; only the first failure since a success is worth a line."""
    down = UnavailableError("database", "down")
    notifier = Notifier(Sender(down, down, None, down, None))
    with capture_logs() as logs:
        for _ in range(5):
            notifier.notify(["a"])
            await notifier.close()
    assert [(entry["event"], entry["queues"]) for entry in logs] == [("outbox_notify_failed", ["a"])] * 2


async def test_a_lost_connection_is_an_outage() -> None:
    """The driver's errors are translated, so that the notifier recognises them."""

    class Lost:
        async def execute(self, *_: object) -> None:
            raise ConnectionResetError("lost")

    @asynccontextmanager
    async def connection() -> AsyncIterator[Lost]:
        yield Lost()

    with pytest.raises(UnavailableError):
        await notify_over(connection)(["a"])
