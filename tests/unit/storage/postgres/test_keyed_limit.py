"""The limit on changes of one row at once."""

from __future__ import annotations

import asyncio

import pytest

from storage.errors import UnavailableError
from storage.postgres.keyed_limit import KeyedLimit


async def test_two_tasks_of_a_key_are_let_in_at_once() -> None:
    """Two tasks hold a key's slots, further ones wait in order, and other keys have slots of their own."""
    limit, go, inside = KeyedLimit(), asyncio.Event(), list[str]()

    async def change(key: int, name: str) -> None:
        async with limit.slot(key):
            inside.append(name)
            await go.wait()
            inside.remove(name)

    tasks = [asyncio.create_task(change(1, name)) for name in "abcd"]
    tasks.append(asyncio.create_task(change(2, "other")))
    await asyncio.sleep(0)
    assert inside == ["a", "b", "other"]
    tasks[2].cancel()
    tasks[0].cancel()
    await asyncio.gather(tasks[0], tasks[2], return_exceptions=True)
    for _ in range(3):
        await asyncio.sleep(0)
    assert sorted(inside) == ["a", "b", "d", "other"]
    go.set()
    await asyncio.gather(*tasks[1:2], *tasks[3:])


async def test_waiting_for_a_slot_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row whose changes do not come to an end is an outage for the changes that wait, and for no other."""
    monkeypatch.setattr("storage.postgres.keyed_limit.COMMAND_TIMEOUT", 0.01)
    limit = KeyedLimit(1)
    async with limit.slot(1):
        with pytest.raises(UnavailableError, match="row 1"):
            async with limit.slot(1):
                raise AssertionError
        async with limit.slot(2):
            pass
    async with limit.slot(1):
        pass
